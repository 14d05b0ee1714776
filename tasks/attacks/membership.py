"""Membership inference: who was a member is told by a score; every number comes with its interval and with a blind baseline's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.attacks.attack import Attack
from tasks.attacks.blind import BlindBaseline
from tasks.core.measures import Measures, Need, Predictions, Row

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tasks.core.bootstrap import Interval

FEWEST = 100
RATES = {"tpr_at_1pct_fpr": (0.01, 200), "tpr_at_01pct_fpr": (0.001, 1000)}
"""False positive rate by name, and the fewest non-members with which it is told. Simulated: at 1% and 100 non-members the interval covers 86%, at 200 93%."""
ALWAYS = ("auc", "blind_auc", "auc_above_blind", "tpr_at_1pct_fpr", "precision_at_1pct_fpr")
"""What every trial records, with its reason where it could not be had."""
RANGES = {
    "auc": (0.0, 1.0),
    "blind_auc": (0.0, 1.0),
    "auc_above_blind": (-1.0, 1.0),
    "tpr_at_1pct_fpr": (0.0, 1.0),
    "precision_at_1pct_fpr": (0.0, 1.0),
    "tpr_at_01pct_fpr": (0.0, 1.0),
}
POOLS = {"example": "members and non-members by a coin per record", "user": "members and non-members by a coin per user"}


@dataclass(frozen=True)
class Scored:
    """Scores (N,), larger for likelier members, and what is to be told of them, if anything."""

    scores: NDArray[np.float64]
    note: str = ""


class MembershipAttack(Attack, ABC):
    """Base of the attacks that tell members from non-members.

    Beside the AUC stands that of a blind baseline, which knows the records and no model; where that tells the pools apart, every number is
    ``confounded``, for the pools differ by more than membership. The precision is that of calling the highest scores members, at a false positive rate of
    1%, where a share ``prior`` of those who are asked about are members.
    """

    score: ClassVar[str]
    """The score in a few words: part of the protocol under which numbers are compared."""

    unit: Literal["example", "user"] = Field(
        default="example", description="Whose membership is told: a record's, or a user's by the mean over the records of each."
    )
    prior: float = Field(default=0.1, gt=0, lt=1, description="Share of members among those asked about, for the precision.")

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The losses of both pools, and the blind baseline."""
        return (Predictions(split="train"), Predictions(split="nonmembers"), BlindBaseline())

    @abstractmethod
    def scored(self, table: pd.DataFrame, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Scored:
        """The score of every row of the table: one per record or user, with ``id``, ``member``, ``loss``, ``logit``."""

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``auc``, ``tpr_at_1pct_fpr``, ``tpr_at_01pct_fpr``, ``precision_at_1pct_fpr``, ``blind_auc`` and ``auc_above_blind``, each with an interval."""
        from tasks.attacks._membership import attacked, pools
        from tasks.core.bootstrap import clusters_of, items_of

        table = pools(needed, self.unit)
        members, others = int(table["member"].sum()), int((~table["member"]).sum())
        if min(members, others) < FEWEST:
            reason = f"{members} members and {others} non-members; {FEWEST} of each are needed"
            return Measures(tuple(self._row(name, len(table), status="insufficient_evidence", reason=reason) for name in ALWAYS))
        rates = {name: rate for name, (rate, fewest) in RATES.items() if others >= fewest}
        report.progress(0, 1, "scoring")
        scored = self.scored(table, needed, data, seed, report)
        found = attacked(table, scored.scores, rates, seed)
        if "tpr_at_1pct_fpr" in found:
            found["precision_at_1pct_fpr"] = _precision(found["tpr_at_1pct_fpr"], 0.01, self.prior)
        rows = self._rows(found, len(table), others, scored.note)
        numbers = {
            "member": table["member"].astype(int).tolist(),
            "score": scored.scores.tolist(),
            "loss": table["loss"].tolist(),
            "blind": table["blind"].tolist(),
        }
        return Measures(rows, items_of(table["id"], clusters_of(table), numbers))

    def _rows(self, found: Mapping[str, Interval], n: int, others: int, note: str) -> tuple[Row, ...]:
        doubt = _confounded(found["blind_auc"])
        rows = [self._measured(name, found[name], n, doubt, note) for name in RANGES if name in found]
        for name in sorted(set(ALWAYS) - found.keys()):
            rate, fewest = RATES["tpr_at_1pct_fpr"]
            reason = f"{others} non-members; {fewest} are needed for a rate of {rate:g}"
            rows.append(self._row(name, n, status="insufficient_evidence", reason=reason))
        return tuple(rows)

    def _measured(self, name: str, found: Interval, n: int, doubt: str | None, note: str) -> Row:
        spread = {} if found.low is None else {"low": found.low, "high": found.high, "interval": "items"}
        flat = "no interval: every resample is alike" if found.low is None else ""
        reason = doubt or "; ".join(said for said in (flat, "" if name == "blind_auc" else note) if said) or None
        return self._row(name, n, value=found.value, status="confounded" if doubt else "ok", reason=reason, **spread)

    def _row(self, name: str, n: int, value: float | None = None, **rest: Any) -> Row:
        low, high = RANGES[name]
        conditions = {"protocol": f"{POOLS[self.unit]}; score {self.protocol}"}
        if name.startswith("precision"):
            conditions["prior"] = f"{self.prior:g}"
        return Row(name=self.metric("privacy", name), value=value, n=n, direction="lower", lowest=low, highest=high, conditions=conditions, **rest)

    @property
    def protocol(self) -> str:
        """The score with whatever settings change what it means."""
        return self.score


def _precision(tpr: Interval, fpr: float, prior: float) -> Interval:
    """The share of true members among those called so, at most; it grows with the true positive rate, and so do the ends of its interval."""
    from tasks.core.bootstrap import Interval

    def of(rate: float) -> float:
        return prior * rate / (prior * rate + (1 - prior) * fpr)

    ends = (None, None) if tpr.low is None or tpr.high is None else (of(tpr.low), of(tpr.high))
    return Interval(of(tpr.value), *ends)


def _confounded(blind: Interval) -> str | None:
    """Why the pools differ without any model; None where the blind baseline's interval holds 0.5. Without an interval, its value decides."""
    low, high = (blind.value, blind.value) if blind.low is None or blind.high is None else (blind.low, blind.high)
    if low <= 0.5 <= high:
        return None
    return f"a classifier that sees no model tells the pools apart (AUC {low:.3f} to {high:.3f})"
