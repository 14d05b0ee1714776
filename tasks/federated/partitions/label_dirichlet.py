"""Label skew by a Dirichlet distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.core.seeds import numpy_generator
from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class LabelDirichlet(Partition):
    """Each device has its own mixture of labels, drawn from Dirichlet(alpha x global label shares), and as many records as any other.

    Records that have no label are skewed over another column: over who or what they are of (``user``, ``group``), or over the type of their first slot.

    Used-up labels are made up for from the rest, in the device's own proportions. A large alpha comes to ``iid``, a small one to a
    label or two per device (Hsu, Qi and Brown 2019, arXiv 1909.06335).
    """

    equal_sizes: ClassVar[bool] = True
    kind: Literal["label-dirichlet"]
    devices: int = Field(gt=0, description="Number of devices.")
    alpha: float = Field(gt=0, le=1e9, description="Concentration: the smaller, the fewer labels a device has.")
    column: Literal["label", "user", "group", "slots"] = Field(default="label", description="What counts as the label; slots: the type of the first, or none.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """A deal by label."""
        import numpy as np
        import pandas as pd

        from tasks.federated.partitions._dirichlet import deal
        from tasks.federated.partitions._naming import check, named

        check(self.kind, records, (self.column,), self.devices)
        labels = pd.factorize(self._labels(records), sort=True, use_na_sentinel=False)[0].astype(np.int64)
        return named(deal(labels, self.devices, self.alpha, numpy_generator(seed, "partition")), self.devices)

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels."""
        from tasks.federated.partitions._naming import check, strata_by

        for records in (train, test):
            check(self.kind, records, (self.column,))
        return strata_by(self._labels(train), self._labels(test))

    def _labels(self, records: pd.DataFrame) -> pd.Series:
        """Of each record."""
        if self.column != "slots":
            return records[self.column]
        return records["slots"].map(lambda tags: next((tag[2:] for tag in tags if tag != "O"), ""))
