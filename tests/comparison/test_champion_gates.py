"""Gates that compare with a champion: what was lost, in the metric's own direction, by the point estimate or an end of the paired interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tasks.comparison.compare import compare
from tasks.comparison.comparison import GateResult
from tasks.comparison.results import Champion
from tests.comparison.studies import METRIC, facts, row, trials

THERE = Champion("champion")


def judged(gate: dict[str, Any], candidate: float | None, champion: float | None, known: Champion | None = THERE, **fields: Any) -> GateResult:
    asked = {"not_worse_than": "champion", "arms": ["candidate"], **gate}
    told = facts(["champion", "candidate"], gates=[asked], champion=known)
    [found] = compare(told, trials({"champion": [champion], "candidate": [candidate]}, **fields)).gates
    return found


@pytest.mark.parametrize(
    ("direction", "candidate", "champion", "gain"),
    [("higher", 0.80, 0.83, -0.03), ("higher", 0.83, 0.80, 0.03), ("lower", 0.80, 0.83, 0.03), ("lower", 0.83, 0.80, -0.03)],
)
def test_a_loss_is_counted_in_the_direction_of_the_metric(direction: str, candidate: float, champion: float, gain: float) -> None:
    for allowed in (0.0, 0.0299, 0.0301):
        found = judged({"by_more_than": allowed}, candidate, champion, direction=direction)
        assert found.value == pytest.approx(gain) and found.passed == (gain >= -allowed) and found.arm == "candidate"
        assert f"a loss of at most {allowed:g} against the champion is asked" in found.sentence


def test_without_a_bound_no_loss_passes() -> None:
    assert judged({}, 0.8, 0.8).passed and not judged({}, 0.799, 0.8).passed


def test_where_there_is_no_champion_the_gate_passes_and_says_why() -> None:
    found = judged({}, 0.1, None, Champion("champion", "there is no champion yet"))
    assert found.passed and found.value is None and "is compared with nothing: there is no champion yet" in found.sentence


def test_what_cannot_be_compared_does_not_pass() -> None:
    assert "no records" in judged({}, None, 0.8).sentence and not judged({}, None, 0.8).passed
    assert not judged({}, 0.8, None).passed
    directionless = judged({}, 0.8, 0.8, direction="none")
    assert not directionless.passed and "no direction of it is better" in directionless.sentence
    other = [replace(trial, rows=(row(0.8, conditions={"data": trial.arm}),)) for trial in trials({"champion": [0.8], "candidate": [0.8]})]
    told = facts(["champion", "candidate"], gates=[{"not_worse_than": "champion", "arms": ["candidate"]}], champion=THERE)
    [unlike] = compare(told, other).gates
    assert not unlike.passed and "unlike conditions (data)" in unlike.sentence


def of_items(of: str, allowed: float, metric: str = METRIC) -> tuple[GateResult, tuple[float, float]]:
    """Two models on 2,000 items, 40 of which only the champion has right and 20 only the candidate; and the normal interval of the difference."""
    right = np.ones(2000)
    mine, theirs = right.copy(), right.copy()
    mine[:40] = 0
    theirs[40:60] = 0
    both = {"candidate": mine, "champion": theirs}
    made = [
        replace(
            trial,
            rows=(row(float(both[trial.arm].mean()), metric=metric),),
            items={METRIC: {"id": list(range(2000)), "correct": both[trial.arm].tolist()}},
        )
        for trial in trials({"champion": [0.0], "candidate": [0.0]})
    ]
    gate = {"metric": metric, "not_worse_than": "champion", "by_more_than": allowed, "of": of, "arms": ["candidate"]}
    [found] = compare(facts(["champion", "candidate"], gates=[gate], champion=THERE), made).gates
    low, high = stats.norm.interval(0.95, loc=(mine - theirs).mean(), scale=stats.sem(mine - theirs))
    return found, (float(low), float(high))


@pytest.mark.parametrize(("of", "end"), [("lower", 0), ("upper", 1)])
def test_an_end_of_the_interval_is_paired_over_the_items(of: str, end: int) -> None:
    found, interval = of_items(of, 0.0)
    assert found.value == pytest.approx(interval[end], abs=5e-4) and found.value is not None
    assert "over 2000 shared items" in found.sentence
    assert of_items(of, abs(found.value) + 1e-6)[0].passed and of_items(of, abs(found.value) - 1e-6)[0].passed == (found.value > 0)


def test_a_metric_that_is_no_mean_of_items_has_no_interval() -> None:
    found, _ = of_items("lower", 1.0, "utility/other")
    assert not found.passed and found.value is None and "it has no interval" in found.sentence
