"""An audit with many trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.attacks.audit import Audit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.attacks._audit_bounds import LowerBound


class ClopperPearson(Audit):
    """Many models, one record each, so that the guesses are independent and nothing is assumed (Jagielski, Ullman and Oprea, NeurIPS 2020).

    The bound is the largest epsilon that true and false positive rates show, at the ends of their exact intervals.
    """

    kind: Literal["clopper-pearson"]
    canaries: Literal[1] = Field(default=1, description="One record in each model.")
    runs: int = Field(default=100, ge=2, le=100_000, description="Models that are trained.")

    @property
    def trained(self) -> int:
        """The runs."""
        return self.runs

    def bound(self, scores: NDArray[np.float64], included: NDArray[np.bool_], delta: float, confidence: float) -> LowerBound:
        """See clopper_pearson_bound."""
        from tasks.attacks._audit_bounds import clopper_pearson_bound

        return clopper_pearson_bound(scores, included, delta, confidence)
