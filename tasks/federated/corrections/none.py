"""FedAvg's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.federated.correction import Correction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.selection import Cohort


class NoCorrection(Correction):
    """FedAvg (McMahan et al., AISTATS 2017): an update weighs its device's part of the cohort's records, draws counted; weights sum to 1.

    Not exactly unbiased even after a uniform draw (it is a ratio of two random sums), and after a draw by activity active devices count
    twice.
    """

    kind: Literal["none"]

    def weights(self, cohort: Cohort, shares: NDArray[np.float64], cohort_size: int) -> NDArray[np.float64]:
        """Draws times shares, over their sum."""
        from tasks.federated.corrections._weights import normalised

        return normalised(cohort.draws * shares)
