"""Membership inference by quantile regression, with one model and no shadows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.attacks.membership import MembershipAttack, Scored

if TYPE_CHECKING:
    import pandas as pd


class Quantile(MembershipAttack):
    """How far a record's logit lies above the quantile that non-members like it have (QMIA: Bertran et al., NeurIPS 2023).

    The quantile is learnt on non-members from text and label alone, by boosted trees. None is scored by trees that learnt on it or on its user's records:
    false positives are counted as they would be for strangers.
    """

    score: ClassVar[str] = "logit above a learnt quantile"

    kind: Literal["quantile"]
    quantile: float = Field(default=0.95, gt=0, lt=1, description="Which quantile of non-members is learnt: one less the false positive rate of interest.")

    @property
    def protocol(self) -> str:
        """With the quantile."""
        return f"{self.score}, {self.quantile:g}"

    def scored(self, table: pd.DataFrame, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Scored:
        """Logit less the quantile."""
        from tasks.attacks._quantile import above

        return Scored(above(table, data, self.quantile, self.unit, seed, report))
