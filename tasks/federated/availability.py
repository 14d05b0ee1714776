"""Availability: which devices can be asked in a round. The same world for every strategy of a comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Availability(Component, ABC):
    """Base of every model of availability. ``always_on`` says that every device can always be asked."""

    always_on: ClassVar[bool] = False

    @abstractmethod
    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """(N,) who can be asked in a round: a function of (seed, round, device) alone, whoever was selected before.

        Args:
            round: from 0.
            activity: (N,) records per device over the whole study, which no strategy and no window changes.
            seed: of the trial.
        """


AVAILABILITIES = Family("availability", "tasks.federated.availabilities", Availability)
