"""Natural devices: one per user."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.core.seeds import uniform
from tasks.federated.partition import Partition, Unit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Natural(Partition):
    """One device per user, named as the user is (LEAF, Caldas et al. 2018): activity and content differ as people do.

    A test record lies on the device of its own user; of a user who has no training record, on none.
    """

    by_seed: ClassVar[bool] = False

    kind: Literal["natural"]
    column: Literal["user", "group", "label"] = Field(default="user", description="What makes a device: its values are the devices' names.")
    minimum_examples: int = Field(default=1, ge=1, description="A device with fewer training records is left out, and its records are held by none.")
    devices: int | None = Field(default=None, gt=0, description="Keep this many devices at most, by a keyed coin per name: the same for every seed.")

    @property
    def unit(self) -> Unit:
        """A person, where users make devices."""
        return "user" if self.column == "user" else "device"

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """The user of each record, or None where the user is unknown or left out."""
        import numpy as np
        import pandas as pd

        codes, values = pd.factorize(self._known(records), sort=True)
        names = np.array([*map(str, values), None], dtype=object)
        kept = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values)) >= self.minimum_examples)
        if self.devices is not None:
            coins = np.array([uniform(0, "natural-device", name) for name in names[kept]])
            kept = kept[np.argsort(coins, kind="stable")[: self.devices]]
        names[~np.isin(np.arange(len(names)), kept)] = None
        return names[codes]

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Users: all training records of one lie on one device, and so do the test records."""
        from tasks.federated.partitions._naming import strata_by

        return strata_by(self._known(train), self._known(test))

    def _known(self, records: pd.DataFrame) -> pd.Series:
        """Users, missing where empty: records of unknown users are not of one person. Raises DataError without the column."""
        from tasks.federated.partitions._naming import check

        check(self.kind, records, (self.column,))
        return records[self.column].mask(records[self.column] == "")
