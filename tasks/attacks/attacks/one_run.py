"""An audit with one training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.attacks.audit import Audit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.attacks._audit_bounds import LowerBound


class OneRun(Audit):
    """One model, many records: so many right guesses are rare under every mechanism of a smaller epsilon (Steinke, Nasr and Jagielski, NeurIPS 2023)."""

    kind: Literal["one-run"]

    def bound(self, scores: NDArray[np.float64], included: NDArray[np.bool_], delta: float, confidence: float) -> LowerBound:
        """See one_run_bound."""
        from tasks.attacks._audit_bounds import one_run_bound

        return one_run_bound(scores, included, delta, confidence)
