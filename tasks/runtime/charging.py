"""Trainings and the ledger: what a step owes is reserved before it begins and committed when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core.graph import Call


@contextmanager
def charged(call: Call, inputs: dict[str, Path], checkpoint: Path) -> Iterator[dict[str, Any]]:
    """Inside, the step may train. Gives what is recorded of it; nothing for a step that owes nothing.

    A step that is killed inside, or fails, leaves its reservation counted. One that goes on from its checkpoint keeps it.
    Raises BudgetExceeded, Unlike, LedgerUnreachable before anything is trained.
    """
    step = call.step
    owed = None if step.charge is None else step.charge(call.config, inputs, call.seed or 0, checkpoint, call.key)
    if owed is None:
        yield {}
        return
    from tasks.privacy.ledger.ledger import open_ledger

    ledger, note = open_ledger(), f"{call.label}, MLflow run {call.producer}"
    if owed.account is None:
        entry = ledger.uncover(owed.population, owed.training, f"{owed.why}; {note}")
    else:
        entry = ledger.reserve(owed.population, owed.training, owed.account, note)
    yield {"population": owed.population, "training": owed.training, "entry": entry.hash}
    if owed.account is not None:
        ledger.commit(owed.training)
