"""Membership inference by the likelihood ratio attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.attacks.shadowed import ShadowedAttack

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tasks.attacks._shadowed import Shadows


class Lira(ShadowedAttack):
    """The likelihood ratio of the target's logit between normal fits to shadows with and without the record (LiRA: Carlini et al., S&P 2022).

    ``online`` compares both fits; ``offline`` asks how far the logit lies above the shadows without the record, on one side: an answer that is less sure
    than theirs is no sign of a member. A fixed variance is pooled over records, each of the two fits with its own.
    """

    score: ClassVar[str] = "likelihood ratio (LiRA)"

    kind: Literal["lira"]
    shadows: int = Field(default=16, ge=2, le=1024, description="Shadow models. Half of the records are in each where data.attack_holdout is public_size.")
    mode: Literal["online", "offline"] = Field(default="online", description="online: shadows with and without each record; offline: without alone.")
    variance: Literal["fixed", "per-record"] = Field(default="fixed", description="Pooled over records, which is better below 64 shadows, or of each record.")

    @property
    def needs_both(self) -> bool:
        """Online alone."""
        return self.mode == "online"

    @property
    def count(self) -> int:
        """As many as are asked for."""
        return self.shadows

    @property
    def protocol(self) -> str:
        """With mode, variance and number of shadows: more shadows, a stronger attack."""
        return f"{self.score}, {self.mode}, {self.variance} variance, {self.shadows} shadows"

    def compare(self, table: pd.DataFrame, shadows: Shadows) -> NDArray[np.float64]:
        """log N(logit; in) - log N(logit; out), or, offline, the standardised logit, which grows with P(Z <= logit)."""
        from tasks.attacks._likelihood_ratio import log_ratio, standardised

        logit = table["logit"].to_numpy(dtype=float)
        per_record = self.variance == "per-record"
        return log_ratio(logit, shadows, per_record) if self.mode == "online" else standardised(logit, shadows, per_record)
