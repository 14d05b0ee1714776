"""Correction: how the updates of a cohort are weighted so that their sum stands for all devices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.selection import Cohort


class Correction(Component, ABC):
    """Base of every correction. ``needs_expected`` says that it divides by the expected number of draws."""

    needs_expected: ClassVar[bool] = False

    @abstractmethod
    def weights(self, cohort: Cohort, shares: NDArray[np.float64], cohort_size: int) -> NDArray[np.float64]:
        """(m,) what each update is multiplied with before they are summed.

        Args:
            cohort: the devices whose updates arrived, with draws and expected draws.
            shares: (m,) a_i, the part of all records now on devices that each holds.
            cohort_size: the size that was asked for: the denominator where it is fixed.
        """


CORRECTIONS = Family("correction", "tasks.federated.corrections", Correction)
