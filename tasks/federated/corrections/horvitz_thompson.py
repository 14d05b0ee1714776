"""Weights by inverse expected draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.correction import Correction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.selection import Cohort


class HorvitzThompson(Correction):
    """draws_i a_i / E[draws_i]: a device that is asked half as often weighs twice as much (Horvitz and Thompson 1952; with replacement
    this is Hansen and Hurwitz 1943).

    Without ``max_weight``, and where expected draws are exact and all above 0, the expected update is that of all available devices.
    The denominator is fixed: weights sum to 1 in expectation, not in each round. A cap trades bias for variance.
    """

    needs_expected: ClassVar[bool] = True

    kind: Literal["horvitz-thompson"]
    max_weight: float | None = Field(default=None, gt=0, description="Largest weight, in multiples of 1 / cohort_size; null: no cap.")

    def weights(self, cohort: Cohort, shares: NDArray[np.float64], cohort_size: int) -> NDArray[np.float64]:
        """Draws times shares over expected draws, capped."""
        from tasks.federated.corrections._weights import capped, inverse

        return capped(inverse(cohort, shares, self.kind), self.max_weight, cohort_size)
