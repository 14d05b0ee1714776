"""Equal weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.federated.correction import Correction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.selection import Cohort


class Equal(Correction):
    """draws_i / cohort_size, with the size that was asked for: a fixed denominator.

    After draws with replacement in proportion to records this is unbiased (Li et al., ICLR 2020, scheme I): being drawn more often is the
    weight. After a uniform draw it stands for the mean over devices, not over records.
    """

    kind: Literal["equal"]

    def weights(self, cohort: Cohort, shares: NDArray[np.float64], cohort_size: int) -> NDArray[np.float64]:
        """Draws over the size asked for."""
        weights: NDArray[np.float64] = cohort.draws / cohort_size
        return weights
