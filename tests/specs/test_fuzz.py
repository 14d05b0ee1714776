"""Damaged specs load or are refused in one printable line an error; nothing else is raised and nothing takes long."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from specs.errors import SpecError, SpecErrors
from specs.loading import load, load_mapping
from tests.specs.given import TABLE, write
from tests.specs.mutating import mutated_bytes, mutated_text, mutated_values, specimens

SPECS_A_BLOCK = 100
BLOCKS = 24
LONGEST_SECONDS = 2.0


def judged(load_it: Callable[[], Any]) -> str:
    """``loads`` or ``refused``; fails where the loading did anything else."""
    begun = time.monotonic()
    try:
        load_it()
        outcome = "loads"
    except SpecErrors as refused:
        outcome = "refused"
        assert refused.errors
        for error in refused.errors:
            assert str(error).isprintable(), ascii(str(error))
            assert 0 < len(str(error)) < 1000, str(error)
    assert time.monotonic() - begun < LONGEST_SECONDS
    return outcome


def attempts(choose: random.Random, folder: Path) -> list[Callable[[], Any]]:
    """The ways in which one damaged spec is loaded."""
    text = choose.choice(specimens())
    level = choose.randrange(3)
    if level < 2:
        path = write(folder, (mutated_bytes, mutated_text)[level](choose, text))
        return [lambda: load(path)]
    values = mutated_values(choose, text)
    tries: list[Callable[[], Any]] = [lambda: load_mapping(values, folder=folder)]
    try:
        path = write(folder, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError):
        return tries
    return [*tries, lambda: load(path)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, a file that is none, and a table whose first line is too deep for a parser."""
    write(tmp_path, TABLE, "t.csv")
    write(tmp_path, TABLE, "t.txt")
    write(tmp_path, "[" * 100_000, "bad.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_damaged_spec_loads_or_is_refused(folder: Path, block: int) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(block * SPECS_A_BLOCK, (block + 1) * SPECS_A_BLOCK):
        for load_it in attempts(random.Random(seed), folder):
            try:
                outcomes[judged(load_it)] += 1
            except Exception as error:
                pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
    assert outcomes["refused"] >= 20, outcomes


def test_the_specimens_are_sound(folder: Path) -> None:
    for text in specimens():
        load(write(folder, text))


@pytest.mark.parametrize(
    "raised",
    [KeyError("x"), RecursionError(), SpecErrors([]), ValueError("x")],
    ids=["key", "recursion", "no errors", "value"],
)
def test_the_check_can_fail(raised: Exception) -> None:
    def fails() -> None:
        raise raised

    with pytest.raises((AssertionError, type(raised))) as caught:
        judged(fails)
    assert not isinstance(caught.value, SpecErrors)


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "half \ud800", "mark \ufeff", "x" * 5000, "\u2028", "\0"])
def test_an_error_is_one_printable_line_whatever_it_holds(text: str) -> None:
    message = str(SpecError(text, 10**6, 10**6, ".".join([text] * 20), text * 20))
    assert message.isprintable() and len(message) < 1000
