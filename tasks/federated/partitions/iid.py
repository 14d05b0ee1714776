"""Devices that do not differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.core.seeds import numpy_generator
from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Iid(Partition):
    """Records shuffled and dealt evenly (McMahan et al., AISTATS 2017, the IID case): sizes differ by one at most."""

    equal_sizes: ClassVar[bool] = True

    kind: Literal["iid"]
    devices: int = Field(gt=0, description="Number of devices.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """A shuffled deal."""
        import numpy as np

        from tasks.federated.partitions._naming import check, named

        check(self.kind, records, (), self.devices)
        dealt = np.arange(len(records), dtype=np.int64) % self.devices
        return named(numpy_generator(seed, "partition").permutation(dealt), self.devices)
