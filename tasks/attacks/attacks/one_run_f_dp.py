"""An audit with one training against a whole trade-off curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.attacks.audit import Audit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.attacks._audit_bounds import LowerBound


class OneRunFDp(Audit):
    """As one-run, and tighter: the trade-off curve is taken for that of a Gaussian, as DP-SGD's nearly is (Mahloujifar, Melis and Chaudhuri, 2024).

    The bound is the epsilon, at delta, of the largest Gaussian that the guesses rule out.
    """

    assumes: ClassVar[str] = "a Gaussian trade-off curve"

    kind: Literal["one-run-f-dp"]

    def bound(self, scores: NDArray[np.float64], included: NDArray[np.bool_], delta: float, confidence: float) -> LowerBound:
        """See one_run_fdp_bound."""
        from tasks.attacks._audit_bounds import one_run_fdp_bound

        return one_run_fdp_bound(scores, included, delta, confidence)
