"""Weights by inverse expected draws, over their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.correction import Correction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.selection import Cohort


class Hajek(Correction):
    """Horvitz and Thompson's weights divided by their sum (Hájek 1971): every round's weights sum to 1.

    Less variance where the size or the shares of a cohort vary, for a bias that falls with the cohort's size. Weights are capped after they
    were divided, so with ``max_weight`` a round's weights may sum to less than 1: a shorter step.
    """

    needs_expected: ClassVar[bool] = True

    kind: Literal["hajek"]
    max_weight: float | None = Field(default=None, gt=0, description="Largest weight, in multiples of 1 / cohort_size; null: no cap.")

    def weights(self, cohort: Cohort, shares: NDArray[np.float64], cohort_size: int) -> NDArray[np.float64]:
        """Draws times shares over expected draws, over their sum, capped."""
        from tasks.federated.corrections._weights import capped, inverse, normalised

        return capped(normalised(inverse(cohort, shares, self.kind)), self.max_weight, cohort_size)
