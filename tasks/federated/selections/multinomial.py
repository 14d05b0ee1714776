"""Draws with replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Multinomial(Selection):
    """m draws with replacement, each a device with probability n^alpha over the sum of it (MD sampling; Li et al., MLSys 2020, scheme I).

    A device may be drawn several times: it trains once and its update counts as often. Expected draws are exactly m p, which may exceed 1;
    the probability of being drawn at all is 1 - (1 - p)^m.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity",)
    unbiased: ClassVar[str] = (
        "Unbiased over the available devices with horvitz-thompson weights (Hansen-Hurwitz: draws over expected draws); with alpha 1 equal weights "
        "per draw are the same thing. Variance is higher than without replacement."
    )
    exact: ClassVar[bool] = True

    kind: Literal["multinomial"]
    alpha: float = Field(default=1.0, ge=0, le=10, description="Power of the activity: 0 is uniform, 1 in proportion.")

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """By inversion of the distribution function."""
        from tasks.federated.selections._cohorts import with_replacement
        from tasks.federated.selections._rates import proportional

        expected = self.expected_draws(view, cohort_size)
        return with_replacement(proportional(expected, cohort_size, generator), expected)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """m n^alpha over its sum."""
        from tasks.federated.selections._rates import activity_weights

        weights = activity_weights(view, self.alpha)
        return weights * (cohort_size / max(float(weights.sum()), 1e-300))
