"""An audit by the Gaussian that explains the guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.attacks.audit import Audit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.attacks._audit_bounds import LowerBound


class Gdp(Audit):
    """The largest mu that true and false positive rates show, and its epsilon at delta (Nasr et al., USENIX Security 2023). Sees that noise was halved.

    It takes the scores of one model's records for independent, which no theorem grants, and the trade-off curve for a Gaussian's.
    """

    assumes: ClassVar[str] = "independent scores, a Gaussian trade-off curve"

    kind: Literal["gdp"]

    def bound(self, scores: NDArray[np.float64], included: NDArray[np.bool_], delta: float, confidence: float) -> LowerBound:
        """See gdp_bound."""
        from tasks.attacks._audit_bounds import gdp_bound

        return gdp_bound(scores, included, delta, confidence)
