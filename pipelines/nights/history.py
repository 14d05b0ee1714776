"""The history of an audit as its comparison holds it."""

from __future__ import annotations

from tasks.comparison.history import NightLine
from tasks.privacy.ledger.ledger import open_ledger
from tasks.privacy.ledger.nights import Nights


def nights_of(study: str) -> tuple[NightLine, ...]:
    """All nights that the ledger's database holds of an audit, in the order of their decisions."""
    return tuple(
        NightLine(
            number=night.number,
            at=night.at,
            snapshot=night.snapshot,
            decision=night.decision,
            reasons=tuple(night.reasons),
            notes=tuple(night.notes),
            numbers=dict(night.numbers),
            version=night.version,
            mlflow_run=night.run,
        )
        for night in Nights(open_ledger().engine).history(study)
    )
