"""`assay ledger`: what is spent, whether anybody changed it, all of it, and how much may be spent."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.privacy.ledger.database import writing
from tasks.privacy.ledger.ledger import Ledger, open_ledger
from tests.cli.running import assay
from tests.privacy.ledger.keeping import account


@pytest.fixture
def ledger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.delenv("ASSAY_LEDGER", raising=False)
    found = open_ledger()
    for name in ("one", "two"):
        found.reserve("assistant-users", name, account(), f"train {name}")
    found.commit("one")
    found.uncover("others", "three", "trained without privacy")
    return found


def test_an_empty_ledger_says_so() -> None:
    done = assay("ledger")
    assert done.code == 0 and "empty" in done.out


def test_each_population_has_a_line(ledger: Ledger) -> None:
    done = assay("ledger")
    words = " ".join(done.out.split())
    assert done.code == 0 and "assistant-users" in words and "not a guarantee" in words
    [users, others] = json.loads(assay("ledger", "--json").out)
    assert users == {
        "population": "assistant-users",
        "guarantee": ledger.spent("assistant-users").guarantee,
        "epsilon_lifetime": ledger.spent("assistant-users").lifetime,
        "delta": 1e-5,
        "trainings": 2,
        "open": 1,
        "uncovered": 0,
        "budget": None,
    }
    assert others["epsilon_lifetime"] is None and others["guarantee"] == "not a guarantee: 1 uncovered training"


def test_one_population_is_shown_with_its_entries(ledger: Ledger) -> None:
    done = assay("ledger", "show", "assistant-users")
    assert done.code == 0 and "train one" in " ".join(done.out.split()) and "others" not in done.out
    wrong = assay("ledger", "show", "assistant-user")
    assert wrong.code == 2 and wrong.error_lines == ["the ledger has no population 'assistant-user'; did you mean 'assistant-users'?"]


def test_a_changed_row_fails_the_check(ledger: Ledger) -> None:
    done = assay("ledger", "verify")
    last = ledger.verify()
    assert done.code == 0 and last in done.out
    assert assay("ledger", "verify", "--head", last).code == 0
    with writing(ledger.engine) as connection:
        connection.execute(text("UPDATE entries SET population = 'nobody' WHERE position = 2"))
    changed = assay("ledger", "verify")
    assert changed.code == 2 and len(changed.error_lines) == 1 and "entry 2 of the ledger" in changed.err and "was changed" in changed.err


def test_a_cut_end_fails_against_a_hash_kept_elsewhere(ledger: Ledger) -> None:
    last = ledger.verify()
    with writing(ledger.engine) as connection:
        connection.execute(text("DELETE FROM entries WHERE position = 4"))
    assert assay("ledger", "verify").code == 0
    cut = assay("ledger", "verify", "--head", last)
    assert cut.code == 2 and "was cut or written anew" in cut.err


def test_all_entries_can_be_taken_elsewhere(ledger: Ledger, folder: Path) -> None:
    lines = [json.loads(line) for line in assay("ledger", "export").out.splitlines()]
    assert [line["hash"] for line in lines] == [entry.hash for entry in ledger.entries()]
    assert assay("ledger", "export", "others", "--out", folder / "l.csv").code == 0
    with (folder / "l.csv").open() as file:
        [row] = csv.DictReader(file)
    assert row["population"] == "others" and row["note"] == "trained without privacy"


def test_a_budget_is_set_once_and_asked_for_in_whole(ledger: Ledger) -> None:
    done = assay("ledger", "budget", "assistant-users", "--epsilon", "20", "--delta", "1e-6")
    assert done.code == 0 and done.out.startswith("set: population 'assistant-users' may spend epsilon 20 at delta 1e-06; so far: example-level (")
    assert assay("ledger", "budget", "assistant-users", "--epsilon", "20", "--delta", "1e-6").out.startswith("unchanged")
    for arguments in (["--epsilon", "20"], ["--epsilon", "-1", "--delta", "1e-6"], ["--epsilon", "1", "--delta", "1"]):
        wrong = assay("ledger", "budget", "assistant-users", *arguments)
        assert wrong.code == 2 and wrong.error_lines == [
            "assay: a budget needs a population, an epsilon above 0 and a delta between 0 and 1: assay ledger budget NAME --epsilon 20 --delta 1e-6"
        ]


def test_a_ledger_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_LEDGER", "postgresql://me:s3cr3t@127.0.0.1:1/assay")
    done = assay("ledger")
    assert done.code == 2 and len(done.error_lines) == 1 and "s3cr3t" not in done.err and "check ASSAY_LEDGER" in done.err
