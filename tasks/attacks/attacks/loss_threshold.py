"""Membership inference by a threshold on the loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tasks.attacks.membership import MembershipAttack, Scored

if TYPE_CHECKING:
    import pandas as pd


class LossThreshold(MembershipAttack):
    """A record with a low loss is taken for a member (Yeom et al., CSF 2018). One model, nothing trained: the weakest attack that a model must withstand."""

    score: ClassVar[str] = "-loss"

    kind: Literal["loss-threshold"]

    def scored(self, table: pd.DataFrame, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Scored:
        """Minus the loss."""
        return Scored(-table["loss"].to_numpy(dtype=float))
