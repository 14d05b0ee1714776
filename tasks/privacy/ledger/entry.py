"""Entries of the ledger: what happened, and the chain of hashes that shows whether anybody changed it afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from tasks.core.errors import UserError

Action = Literal["reserve", "commit", "uncovered", "budget"]
GENESIS = "0" * 64
"""What the first entry names as the hash before it."""


class TamperedLedger(UserError):
    """An entry is not what was written, or one is missing between two."""


@dataclass(frozen=True)
class Entry:
    """One row of the ledger.

    Args:
        position: from 1, without gaps.
        at: when, UTC, ISO 8601.
        population: whose records.
        action: ``reserve`` before a private training begins, ``commit`` when it has ended, ``uncovered`` for a training that no guarantee covers,
            ``budget`` for the most that a population may spend.
        training: what links a commit to its reservation.
        level: the unit, ``example-level``; None where nothing is spent.
        adjacency: which data sets are neighbours.
        mechanism: everything released, as JSON (`tasks.privacy.ledger.spent.written`).
        epsilon, delta: of this training alone, or of the budget.
        note: for people: the MLflow run, why a training is uncovered.
        previous: the hash of the entry before.
        hash: of all of the above.
    """

    position: int
    at: str
    population: str
    action: Action
    training: str
    level: str | None
    adjacency: str | None
    mechanism: str | None
    epsilon: float | None
    delta: float | None
    note: str
    previous: str
    hash: str = ""

    def seal(self) -> str:
        """What its hash must be: SHA-256 over its other fields as canonical JSON, floats to the last bit."""
        values = {**vars(self), "epsilon": _float(self.epsilon), "delta": _float(self.delta)}
        del values["hash"]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def sealed(self) -> Entry:
        """The entry with its hash."""
        return replace(self, hash=self.seal())


def _float(value: float | None) -> float | None:
    """As a database gives it back, which knows no whole numbers among floats."""
    return None if value is None else float(value)


def verify(entries: Iterable[Entry]) -> str:
    """The hash of the last entry of a whole chain. Raises TamperedLedger at the first entry that does not fit.

    A chain that somebody wrote anew from some entry on, or cut at its end, is whole in itself: compare the last hash with one kept elsewhere.
    """
    before = GENESIS
    for position, entry in enumerate(entries, start=1):
        if entry.position != position:
            raise TamperedLedger(f"the ledger lacks entry {position}: it was deleted after it was written")
        if entry.previous != before or entry.seal() != entry.hash:
            raise TamperedLedger(
                f"entry {entry.position} of the ledger ({entry.action}, population {entry.population}, {entry.at}) was changed after it was written"
            )
        before = entry.hash
    return before
