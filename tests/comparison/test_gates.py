"""Gates: which number of an arm they look at, and that what was not measured does not pass."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.comparison.compare import compare
from tasks.comparison.gates import Gate
from tests.comparison.studies import METRIC, facts, failed, trials

VALUES = [0.7, 0.8, 0.9]
LOW, HIGH = stats.t.interval(0.95, 2, loc=0.8, scale=stats.sem(VALUES))


@pytest.mark.parametrize(
    ("gate", "seen"),
    [
        ({"at_least": 0.5}, 0.7),
        ({"at_most": 0.5}, 0.9),
        ({"at_least": 0.5, "of": "mean"}, 0.8),
        ({"at_least": 0.5, "of": "lower"}, LOW),
        ({"at_most": 0.5, "of": "upper"}, HIGH),
        ({"at_least": 0.5, "of": "upper"}, HIGH),
    ],
)
def test_a_gate_sees_the_number_that_it_names(gate: dict[str, Any], seen: float) -> None:
    [side] = [name for name in gate if name.startswith("at_")]
    for bound, passed in ((seen - 1e-9, side == "at_least"), (seen + 1e-9, side == "at_most")):
        [found] = compare(facts(["plain"], gates=[{**gate, side: bound}]), trials({"plain": VALUES})).gates
        assert found.value == pytest.approx(seen) and found.passed == passed
        assert found.sentence.startswith("Passed: " if passed else "Failed: ")


def test_a_number_at_the_bound_passes() -> None:
    found = compare(facts(["plain"], gates=[{"at_least": 0.75}, {"at_most": 0.75}]), trials({"plain": [0.75]})).gates
    assert [gate.passed for gate in found] == [True, True]


def test_a_gate_is_for_the_arms_that_it_names_or_all() -> None:
    names = ["plain[x=1]", "plain[x=2]", "eps[x=1]", "eps[x=2]"]
    gates: list[dict[str, Any]] = [{"at_least": 0.5, "arms": ["eps"]}, {"at_least": 0.5, "arms": ["plain[x=2]"]}, {"at_least": 0.5}]
    found = compare(facts(names, gates=gates), trials({name: [0.6] for name in names})).gates
    assert [gate.arm for gate in found] == ["eps[x=1]", "eps[x=2]", "plain[x=2]", *names]


@pytest.mark.parametrize("of", ["worst", "mean", "lower", "upper"])
@pytest.mark.parametrize("missing", ["metric", "seed", "failed seed", "every seed"])
def test_what_was_not_measured_does_not_pass(of: str, missing: str) -> None:
    """A seed without a number could be the worst."""
    gate = {"at_least": 0.0, "of": of, "metric": "utility/other" if missing == "metric" else METRIC}
    results = trials({"plain": [0.9, 0.8, None if missing == "seed" else 0.7]})
    if missing == "failed seed":
        results[-1] = failed("plain", 2)
    if missing == "every seed":
        results = [failed("plain", seed) for seed in range(3)]
    [found] = compare(facts(["plain"], gates=[gate]), results).gates
    assert not found.passed and found.value is None and "is not measured" in found.sentence
    [control] = compare(facts(["plain"], gates=[{**gate, "metric": METRIC}]), trials({"plain": [0.9, 0.8, 0.85]})).gates
    assert control.passed


def test_an_end_of_an_interval_that_is_not_there_does_not_pass() -> None:
    [found] = compare(facts(["plain"], gates=[{"at_least": 0.1, "of": "lower"}]), trials({"plain": [0.9]})).gates
    assert not found.passed and "its number has no interval" in found.sentence


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"at_least": 1, "at_most": 2},
        {"at_least": 1, "by_more_than": 0.1},
        {"not_worse_than": "other"},
        {"at_least": float("nan")},
        {"at_least": 1, "arms": []},
    ],
)
def test_a_gate_without_exactly_one_bound_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate({"metric": METRIC, **fields})
