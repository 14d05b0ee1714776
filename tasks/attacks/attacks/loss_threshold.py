"""Membership inference by a threshold on the loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tasks.attacks.attack import Attack
from tasks.attacks.blind import BlindBaseline
from tasks.core.measures import Measures, Need, Predictions, Row

if TYPE_CHECKING:
    from tasks.core.bootstrap import Interval

FEWEST = 100
RATES = {"tpr_at_1pct_fpr": (0.01, 200), "tpr_at_01pct_fpr": (0.001, 1000)}
"""False positive rate by name, and the fewest non-members with which it is told. Simulated: at 1% and 100 non-members the interval covers 86%, at 200 93%."""
ALWAYS = ("auc", "blind_auc", "auc_above_blind", "tpr_at_1pct_fpr")
"""What every trial records, with its reason where it could not be had."""
RANGES = {"auc": (0.0, 1.0), "blind_auc": (0.0, 1.0), "auc_above_blind": (-1.0, 1.0), "tpr_at_1pct_fpr": (0.0, 1.0), "tpr_at_01pct_fpr": (0.0, 1.0)}
PROTOCOL = "members and non-members by a coin per record; score -loss"


class LossThreshold(Attack):
    """A record with a low loss is taken for a member (Yeom et al., CSF 2018). One model, nothing trained: the weakest attack that a model must withstand.

    Beside its AUC stands that of a blind baseline, which knows the records and no model; where that tells the pools apart, every number is
    ``confounded``, for the pools differ by more than membership.
    """

    protocol: ClassVar[str] = PROTOCOL

    kind: Literal["loss-threshold"]

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The losses of both pools, and the blind baseline."""
        return (Predictions(split="train"), Predictions(split="nonmembers"), BlindBaseline())

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``auc``, ``tpr_at_1pct_fpr``, ``tpr_at_01pct_fpr``, ``blind_auc`` and ``auc_above_blind``, each with an interval over records."""
        from tasks.attacks._membership import attacked, pools
        from tasks.core.bootstrap import clusters_of, items_of

        table = pools(needed)
        members, others = int(table["member"].sum()), int((~table["member"]).sum())
        if min(members, others) < FEWEST:
            reason = f"{members} members and {others} non-members; {FEWEST} of each are needed"
            return Measures(tuple(self._row(name, len(table), status="insufficient_evidence", reason=reason) for name in ALWAYS))
        rates = {name: rate for name, (rate, fewest) in RATES.items() if others >= fewest}
        report.progress(0, 1, "resampling")
        found = attacked(table, rates, seed)
        doubt = _confounded(found["blind_auc"])
        rows = [self._measured(name, found[name], len(table), doubt) for name in RANGES if name in found]
        for name in set(ALWAYS) - found.keys():
            reason = f"{others} non-members; {RATES[name][1]} are needed for a rate of {RATES[name][0]:g}"
            rows.append(self._row(name, len(table), status="insufficient_evidence", reason=reason))
        numbers = {"member": table["member"].astype(int).tolist(), "loss": table["loss"].tolist(), "blind": table["score"].tolist()}
        return Measures(tuple(rows), items_of(table["id"], clusters_of(table), numbers))

    def _measured(self, name: str, found: Interval, n: int, doubt: str | None) -> Row:
        spread = {} if found.low is None else {"low": found.low, "high": found.high, "interval": "items"}
        flat = "no interval: every resample is alike" if found.low is None else None
        return self._row(name, n, value=found.value, status="confounded" if doubt else "ok", reason=doubt or flat, **spread)

    def _row(self, name: str, n: int, value: float | None = None, **rest: Any) -> Row:
        low, high = RANGES[name]
        conditions = {"protocol": self.protocol}
        return Row(name=self.metric("privacy", name), value=value, n=n, direction="lower", lowest=low, highest=high, conditions=conditions, **rest)


def _confounded(blind: Interval) -> str | None:
    """Why the pools differ without any model; None where the blind baseline's interval holds 0.5. Without an interval, its value decides."""
    low, high = (blind.value, blind.value) if blind.low is None or blind.high is None else (blind.low, blind.high)
    if low <= 0.5 <= high:
        return None
    return f"a classifier that sees no model tells the pools apart (AUC {low:.3f} to {high:.3f})"
