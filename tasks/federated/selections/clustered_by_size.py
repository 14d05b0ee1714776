"""Clustered sampling by size."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ClusteredBySize(Selection):
    """One draw from each of m distributions over devices of like size (Fraboni et al., ICML 2021, Algorithm 1).

    Distribution k gives device i the probability r_ki; each sums to 1 over devices, and over distributions a device has m a_i, its share of
    the records of the available, exactly. So expected draws equal those of ``multinomial`` with a variance that is never higher. A device
    that holds more than 1/m of the records is in several distributions: it is drawn at least floor(m a_i) - 1 times in every round.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity",)
    unbiased: ClassVar[str] = (
        "Unbiased over the available devices with horvitz-thompson weights, or equal weights per draw, which are the same thing here. "
        "Variance is never higher than that of multinomial."
    )
    exact: ClassVar[bool] = True

    kind: Literal["clustered-by-size"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """One point in each part of the line on which devices lie from large to small."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready, with_replacement
        from tasks.federated.selections._strata import one_of_each

        drawn = one_of_each(np.where(ready(view), view.activity, 0), cohort_size, generator)
        return with_replacement(drawn, self.expected_draws(view, cohort_size))

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """m a_i."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready

        held = np.where(ready(view), view.activity, 0)
        return held * cohort_size / max(1, int(held.sum()))
