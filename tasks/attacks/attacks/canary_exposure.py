"""How likely a model finds a canary's secret among all secrets that it could be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.attacks.canary import CanaryAttack
from tasks.core.measures import Measures

if TYPE_CHECKING:
    from tasks.attacks._candidates import Hunted

ENUMERATED = 100_000
"""Candidates up to which all are asked about: five digits."""


class CanaryExposure(CanaryAttack):
    """Exposure: log2 of the number of candidates less log2 of the secret's rank by loss (Carlini et al., USENIX Security 2019).

    Exact where there are at most 100,000 candidates, which are all asked about; else estimated from a sample of them. Chance gives 1.44 bits on average.
    """

    kind: Literal["canary-exposure"]
    sample: int = Field(default=10_000, ge=100, le=1_000_000, description="Candidates that are asked about where there are more than 100,000.")

    def hunt(self, hunted: Hunted, seed: int, report: Any) -> Measures:
        """``exposure``, the mean over canaries, and ``highest_exposure``."""
        from tasks.attacks._candidates import said
        from tasks.attacks._exposure import estimated, exact

        exactly = hunted.block.candidates <= ENUMERATED
        found = exact(hunted, report) if exactly else estimated(hunted, self.sample, seed, report)
        how = "all candidates" if exactly else f"estimated from {self.sample}"
        ends = (0.0, math.log2(hunted.block.candidates))
        rows = [self.row("exposure", found, hunted, "lower", ends, candidates=how)]
        highest = self.row("highest_exposure", [max(found)], hunted, "lower", ends, candidates=how)
        rows.append(highest.model_copy(update={"n": len(found), "reason": f"the highest of {len(found)} canaries; no interval"}))
        return Measures(tuple(rows), said(hunted, exposure=found))
