"""No row of the table of unsound combinations is forgotten: a rule covers it, or a test, or what would make it possible is not there yet."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from specs.soundness import all_rules
from tests.privacy.rows import CONSIDERED, FAMILIES, ROWS, Construction, Row, Rules, Waits, no_longer_wait, not_considered, table

CHECKOUT = Path(__file__).resolve().parents[2]
COUNT = 24
"""Rows of the table that was copied."""


def missing_rules(rows: tuple[Row, ...]) -> set[str]:
    return {name for row in rows for cover in row.covers if isinstance(cover, Rules) for name in cover.ids} - set(all_rules())


def missing_tests(rows: tuple[Row, ...]) -> set[str]:
    found = [cover for row in rows for cover in row.covers if isinstance(cover, Construction)]
    return {cover.test for cover in found if cover.test not in functions_of(CHECKOUT / cover.file)}


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_each_row_is_listed_once_and_covered() -> None:
    assert len(ROWS) == len({row.combination for row in ROWS}) == COUNT
    assert all(row.covers for row in ROWS)


def test_every_rule_and_every_test_that_a_row_names_is_there() -> None:
    assert not missing_rules(ROWS)
    assert not missing_tests(ROWS)


def test_a_rule_or_a_test_that_is_gone_would_be_noticed() -> None:
    assert missing_rules((Row("x", "refuse", (Rules(("PRIV-01", "PRIV-99")),)),)) == {"PRIV-99"}
    assert missing_tests((Row("x", "refuse", (Construction("tests/privacy/test_rows.py", "test_that_is_none"),)),)) == {"test_that_is_none"}


def test_rules_have_the_verdict_that_their_row_asks_for() -> None:
    for row in ROWS:
        verdicts = {all_rules()[name].verdict for cover in row.covers if isinstance(cover, Rules) for name in cover.ids}
        assert not verdicts or row.action in verdicts, row.combination


def test_every_privacy_rule_stands_in_a_row_or_is_known_to_be_of_no_row() -> None:
    named = {name for row in ROWS for cover in row.covers if isinstance(cover, Rules) for name in cover.ids}
    of_none = {"PRIV-06", "PRIV-13", "PRIV-14", "PRIV-20", *(f"PRIV-{number}" for number in (22, 23, 24, 28, 29, 30, 31, 32, 33, 34, 35))}
    assert {name for name in all_rules() if name.startswith("PRIV-")} - named == of_none


def test_what_a_row_waits_for_is_not_there_yet() -> None:
    assert {cover.family for row in ROWS for cover in row.covers if isinstance(cover, Waits)} <= set(FAMILIES)
    assert no_longer_wait(ROWS, FAMILIES) == []


@pytest.mark.parametrize(
    ("family", "kind", "rows"),
    [("sampler", "weighted", 1), ("unit", "micro-batch", 1), ("noise", "per-worker", 1), ("kind of study", "text-privatization", 6)],
)
def test_a_component_that_a_row_waits_for_would_be_noticed(family: str, kind: str, rows: int) -> None:
    arrived = {**FAMILIES, family: lambda: [*FAMILIES[family](), kind]}
    assert len(no_longer_wait(ROWS, arrived)) == rows


def test_every_component_was_held_against_every_row() -> None:
    assert not not_considered(FAMILIES), "go through tests/privacy/rows.py with it: which rows does it make possible?"
    for family, known in CONSIDERED.items():
        assert known <= set(FAMILIES[family]()), family


def test_a_component_under_any_other_name_would_be_noticed() -> None:
    assert not_considered({**FAMILIES, "clip rule": lambda: ["flat", "normalised"]}) == {"clip rule 'normalised'"}


def test_a_person_can_read_what_waits() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.privacy.rows"], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == table() + "\n"
    assert "       refuse  fixed-size sampling + add/remove\n               covered by PRIV-26, PRIV-27, FED-12\n" in done.stdout
    assert done.stdout.index("covered by PRIV-05") < done.stdout.index("waits for")
