"""SQLite and PostgreSQL give equal answers, and a newer ledger is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tasks.privacy.ledger import ledger as module
from tasks.privacy.ledger import nights as nights_module
from tasks.privacy.ledger.database import LedgerUnreachable, opened, writing
from tasks.privacy.ledger.entry import Entry
from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.ledger.nights import Champion, ChampionMoved, Night, Nights
from tasks.privacy.ledger.spent import Budget, BudgetExceeded, Spent
from tests.privacy.ledger.keeping import account, ledger_at
from tests.services.postgres import postgres


@pytest.fixture
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


def written(ledger: Ledger) -> tuple[list[Entry], list[Spent], str]:
    """The same story told to a ledger, and what it says of it."""
    ledger.set_budget("people", Budget(3, 1e-6))
    ledger.reserve("people", "one", account(), "ünïcode")
    ledger.commit("one")
    ledger.reserve("others", "two", account(noise=1 / 3))
    ledger.uncover("others", "three", "trained without privacy")
    with pytest.raises(BudgetExceeded):
        ledger.reserve("people", "too much", account(noise=0.5))
    entries = [replace(entry, at="", previous="", hash="") for entry in ledger.entries()]
    return entries, [ledger.spent(name) for name in ledger.populations()], ledger.verify()


def decided(ledger: Ledger) -> tuple[list[Night], Champion | None]:
    """Nights of an audit: one promotes, one fails and is gone on with, one finds the champion moved."""
    nights = Nights(ledger.engine)
    first = Night("nightly", "monday", "monday.csv", "promoted", ("ünïcode",), {"utility/accuracy": 1 / 3}, "run-1", ("late",), '{"a": 1}')
    nights.decide(first, "model", None, "key-1")
    second = replace(first, night="tuesday", run="run-2")
    nights.decide(replace(second, decision="failed", reasons=("out of memory",)), "model", 1, "key-2")
    with pytest.raises(ChampionMoved):
        nights.decide(second, "model", None, "key-2")
    nights.decide(second, "model", 1, "key-2")
    return nights.history("nightly"), nights.champion("model")


def test_both_give_equal_answers(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    for timed in (module, nights_module):
        monkeypatch.setattr(timed, "now", lambda: "2026-01-01T00:00:00+00:00")
    sqlite, postgresql = ledger_at(tmp_path), Ledger(opened(f"{server}/postgres"))
    assert written(sqlite) == written(postgresql)
    history, champion = decided(sqlite)
    assert (history, champion) == decided(postgresql)
    assert [night.decision for night in history] == ["promoted", "promoted"] and "failed before" in history[1].notes[1]
    assert champion is not None and (champion.version, champion.run) == (2, "run-2")


def test_a_ledger_of_a_newer_assay_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(ledger_at(tmp_path).engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.cache_clear()
    with pytest.raises(LedgerUnreachable, match="newer Assay"):
        ledger_at(tmp_path)


def test_a_ledger_that_cannot_be_had_is_told_in_a_line_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnreachable, match="check ASSAY_LEDGER") as refused:
        opened("postgresql://me:s3cr3t@127.0.0.1:1/assay")
    assert "s3cr3t" not in str(refused.value) and "\n" not in str(refused.value)
    (tmp_path / "ledger.db").write_text("no database at all, but a text of some length")
    with pytest.raises(LedgerUnreachable, match="not a database"):
        ledger_at(tmp_path)


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from tasks.privacy.ledger.tables import METADATA

    ledger_at(tmp_path)
    with create_engine(f"sqlite:///{tmp_path / 'ledger.db'}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
