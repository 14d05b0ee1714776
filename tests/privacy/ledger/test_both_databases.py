"""SQLite and PostgreSQL give equal answers, and a newer ledger is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tasks.privacy.ledger import ledger as module
from tasks.privacy.ledger.database import LedgerUnreachable, opened, writing
from tasks.privacy.ledger.entry import Entry
from tasks.privacy.ledger.ledger import Ledger
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


def test_both_give_equal_answers(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setattr(module, "now", lambda: "2026-01-01T00:00:00+00:00")
    assert written(ledger_at(tmp_path)) == written(Ledger(opened(f"{server}/postgres")))


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
