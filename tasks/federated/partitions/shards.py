"""Label skew by shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.core.seeds import numpy_generator
from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Shards(Partition):
    """Records sorted by label, cut into shards, and each device dealt the same number of shards (McMahan et al., AISTATS 2017).

    Most devices have ``shards_per_device`` labels. No record is left over: shards differ by one record at most, so devices by
    ``shards_per_device`` at most.
    """

    equal_sizes: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("label",)

    kind: Literal["shards"]
    devices: int = Field(gt=0, description="Number of devices.")
    shards_per_device: int = Field(default=2, gt=0, description="Shards that a device is dealt: about as many labels.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """Sort, cut, deal. Which records of a label share a shard is chance."""
        import numpy as np
        import pandas as pd

        from tasks.federated.partitions._naming import check, even, named

        check(self.kind, records, self.columns, self.devices, self.shards_per_device)
        generator = numpy_generator(seed, "partition")
        labels = pd.factorize(records["label"], sort=True, use_na_sentinel=False)[0]
        shuffled = generator.permutation(len(records))
        by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
        count = self.devices * self.shards_per_device
        holders = generator.permutation(np.arange(count) % self.devices)
        devices = np.empty(len(records), dtype=np.int64)
        devices[by_label] = np.repeat(holders, even(len(records), count))
        return named(devices, self.devices)

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels."""
        from tasks.federated.partitions._naming import check, strata_by

        check(self.kind, test, self.columns)
        return strata_by(train["label"], test["label"])
