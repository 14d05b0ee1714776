"""Partitions: which device holds which record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


Unit = Literal["user", "device"]
"""Whose presence a guarantee hides: a person with all their records, or a device that a partition made."""


class Partition(Component, ABC):
    """Base of every partition.

    ``equal_sizes`` says that all devices hold (nearly) as many records, so that activity tells nothing. ``columns`` are the
    record columns without which it cannot work. ``by_seed`` says whether the trial's seed decides anything.
    """

    equal_sizes: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()
    by_seed: ClassVar[bool] = True

    @property
    def unit(self) -> Unit:
        """What a device is."""
        return "device"

    @abstractmethod
    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """(R,) the device of each record by name; None for a record that no device holds. Raises DataError."""

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """What devices differ by: (R,) and (T,) a stratum of each training and test record, or None where devices do not differ.

        A test record is held by a device in proportion to the training records of its stratum that the device holds; where devices are
        users or windows, those are the strata.
        """
        return None


PARTITIONS = Family("partition", "tasks.federated.partitions", Partition)
