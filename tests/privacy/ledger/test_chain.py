"""The chain of hashes shows every row that was changed, taken out or put in between; and what it cannot show is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tasks.privacy.ledger.database import writing
from tasks.privacy.ledger.entry import GENESIS, TamperedLedger
from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.ledger.spent import Budget
from tasks.privacy.ledger.tables import ENTRIES
from tests.privacy.ledger.keeping import account, ledger_at

CHANGES: dict[str, Any] = {
    "at": "2020-01-01T00:00:00+00:00",
    "population": "others",
    "action": "uncovered",
    "training": "two",
    "level": "user-level",
    "adjacency": "zero-out",
    "mechanism": "{}",
    "epsilon": 0.1,
    "delta": 1e-9,
    "note": "nothing",
    "previous": GENESIS,
    "hash": GENESIS,
}


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    found = ledger_at(tmp_path)
    found.set_budget("people", Budget(20, 1e-6))
    for name in ("a", "b", "c"):
        found.reserve("people", name, account())
        found.commit(name)
    found.uncover("people", "d", "trained without privacy")
    return found


def change(ledger: Ledger, statement: str, **values: Any) -> None:
    with writing(ledger.engine) as connection:
        connection.execute(text(statement), values)


def test_a_chain_that_nobody_touched_is_whole(ledger: Ledger) -> None:
    entries = list(ledger.entries())
    assert ledger.verify() == entries[-1].hash and entries[0].previous == GENESIS and [entry.position for entry in entries] == list(range(1, 9))


def test_every_column_has_a_change() -> None:
    assert {*CHANGES, "position"} == {column.name for column in ENTRIES.columns}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_row_is_detected(ledger: Ledger, column: str) -> None:
    change(ledger, f"UPDATE entries SET {column} = :value WHERE position = 4", value=CHANGES[column])
    with pytest.raises(TamperedLedger, match=r"entry [45] of the ledger"):
        ledger.verify()


def test_a_deleted_row_is_detected(ledger: Ledger) -> None:
    change(ledger, "DELETE FROM entries WHERE position = 3")
    with pytest.raises(TamperedLedger, match="lacks entry 3"):
        ledger.verify()


def test_a_deleted_row_whose_gap_was_closed_is_detected(ledger: Ledger) -> None:
    change(ledger, "DELETE FROM entries WHERE position = 3")
    for position in range(4, 9):
        change(ledger, "UPDATE entries SET position = :new WHERE position = :old", new=position - 1, old=position)
    with pytest.raises(TamperedLedger):
        ledger.verify()


def test_a_cut_end_shows_against_a_hash_kept_elsewhere(ledger: Ledger) -> None:
    """The chain alone cannot show it: the command says so, and takes the hash."""
    last = ledger.verify()
    change(ledger, "DELETE FROM entries WHERE position = 8")
    assert ledger.verify() != last and last not in {entry.hash for entry in ledger.entries()}
