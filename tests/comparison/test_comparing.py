"""Which numbers are compared: arms at one grid point, seeds that both have, conditions that are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.results import TrialResult
from tests.comparison.studies import METRIC, facts, failed, row, trials

GRID = ["plain[x=1]", "plain[x=2]", "eps[x=1]", "eps[x=2]"]


def numbers(seeds: int = 6) -> dict[str, list[float]]:
    draw = np.random.default_rng(5)
    return {name: list(draw.normal(place / 10, 0.01, size=seeds)) for place, name in enumerate(GRID)}


def test_at_a_grid_point_the_baseline_is_the_one_of_that_point() -> None:
    given = numbers()
    found = compare(facts(GRID), trials(given))
    assert [(difference.arm, difference.versus) for difference in found.differences] == [("eps[x=1]", "plain[x=1]"), ("eps[x=2]", "plain[x=2]")]
    for difference in found.differences:
        assert difference.value == pytest.approx(np.subtract(given[difference.arm], given[difference.versus]).mean())


def test_a_claim_holds_for_each_point_and_all_are_corrected_together() -> None:
    given = numbers()
    found = compare(facts(GRID, [{"arm": "eps", "versus": "plain", "better": True}]), trials(given)).claims
    assert [answer.arms for answer in found] == [("eps[x=1]", "plain[x=1]"), ("eps[x=2]", "plain[x=2]")]
    p = [stats.ttest_rel(given[f"eps[x={x}]"], given[f"plain[x={x}]"], alternative="greater").pvalue for x in (1, 2)]
    assert [answer.p for answer in found] == pytest.approx(p)
    assert [answer.p_holm for answer in found] == pytest.approx([max(2 * min(p), value) if value > min(p) else 2 * value for value in p])


def test_a_claim_may_name_one_point() -> None:
    better = {"arm": "eps[x=2]", "better": True}
    claims: list[dict[str, Any]] = [{**better, "versus": "plain"}, {**better, "versus": "eps[x=1]"}, {"arm": "eps", "at_least": 0.1}]
    found = compare(facts(GRID, claims), trials(numbers())).claims
    assert [answer.arms for answer in found] == [("eps[x=2]", "plain[x=2]"), ("eps[x=2]", "eps[x=1]"), ("eps[x=1]",), ("eps[x=2]",)]


def test_a_failed_trial_leaves_its_seed_out_of_both_arms() -> None:
    given = {"plain": [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], "other": [0.2, 0.4, 0.3, 0.6, 0.5]}
    results = [*trials({**given}), failed("other", 5)]
    found = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), results)
    [answer] = found.claims
    assert answer.n == 5 and answer.value == pytest.approx(np.subtract(given["other"], given["plain"][:5]).mean())
    value = found.arms["other"][METRIC]
    assert value.reason == "5 of 6 seeds have it" and value.n == 5 and value.value == pytest.approx(0.4)
    assert [trial.status for trial in found.trials if trial.arm == "other"] == ["finished"] * 5 + ["failed"]


def test_too_many_failures_make_it_descriptive() -> None:
    results = [*trials({"plain": [0.1] * 5, "other": [0.2, 0.3, 0.4, 0.5]}), failed("other", 4)]
    [answer] = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), results).claims
    assert (answer.verdict, answer.n) == ("descriptive", 4)


def test_an_arm_that_failed_whole_is_not_answered() -> None:
    results = [*trials({"plain": [0.1] * 5}), *(failed("other", seed) for seed in range(5))]
    found = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), results)
    assert found.claims[0].verdict == "unanswered" and found.differences == () and found.arms["other"] == {}


def test_arms_without_a_common_seed_are_not_compared() -> None:
    results = [TrialResult(arm, seed, (row(0.5),), "finished") for arm, seeds in (("plain", range(5)), ("other", range(5, 10))) for seed in seeds]
    found = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), results)
    assert "share no seed" in found.claims[0].sentence and found.differences[0].status == "unmeasured"


def unlike() -> list[TrialResult]:
    return [*trials({"plain": [0.5, 0.6, 0.7, 0.8, 0.9]}), *trials({"other": [0.6, 0.7, 0.8, 0.9, 1.0]}, conditions={"data": "d2"})]


def test_numbers_under_unlike_conditions_are_never_combined() -> None:
    found = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), unlike())
    assert found.claims[0].verdict == "unanswered" and "unlike conditions (data)" in found.claims[0].sentence
    assert (found.differences[0].status, found.differences[0].value) == ("unlike", None)
    like = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), trials({"plain": [0.5] * 5, "other": [0.6] * 5}))
    assert like.claims[0].verdict == "holds" and like.differences[0].status == "ok"


def test_unlike_numbers_stand_in_two_columns() -> None:
    found = compare(facts(["plain", "other"]), unlike())
    first, second = columns(found)
    assert (first.title, second.title) == ("accuracy (a)", "accuracy (b)")
    shown = [[column.value(found, arm) is not None for arm in ("plain", "other")] for column in (first, second)]
    assert shown == [[True, False], [False, True]]
    alike = compare(facts(["plain", "other"]), trials({"plain": [0.5] * 5, "other": [0.6] * 5}))
    assert [column.title for column in columns(alike)] == ["accuracy"]


def test_seeds_of_one_arm_under_unlike_conditions_have_no_mean() -> None:
    results = [TrialResult("plain", seed, (row(0.5, conditions={"data": f"d{seed}"}),), "finished") for seed in range(5)]
    value = compare(facts(["plain"]), results).arms["plain"][METRIC]
    assert (value.value, value.status) == (None, "unsupported") and "unlike" in str(value.reason)


def test_one_seed_keeps_its_own_interval_and_more_have_that_over_runs() -> None:
    fields = {"low": 0.4, "high": 0.6, "interval": "items", "n": 300}
    one = compare(facts(["plain"]), trials({"plain": [0.5]}, **fields)).arms["plain"][METRIC]
    assert (one.low, one.high, one.interval, one.n) == (0.4, 0.6, "items", 300)
    two = compare(facts(["plain"]), trials({"plain": [0.5, 0.52]}, **fields)).arms["plain"][METRIC]
    low, high = stats.t.interval(0.95, 1, loc=0.51, scale=stats.sem([0.5, 0.52]))
    assert [two.low, two.high] == pytest.approx([low, high]) and (two.interval, two.n) == ("runs", 2)


def test_an_interval_over_runs_ends_where_the_metric_ends() -> None:
    value = compare(facts(["plain"]), trials({"plain": [0.9, 1.0]}, lowest=0.0, highest=1.0)).arms["plain"][METRIC]
    assert value.value == pytest.approx(0.95) and value.high == 1.0 and value.low is not None and 0 <= value.low < 0.95
    cut = compare(facts(["plain"]), trials({"plain": [0.2, 0.9]}, lowest=0.0, highest=1.0)).arms["plain"][METRIC]
    assert (cut.low, cut.high) == (0.0, 1.0)


def test_a_confounded_number_stays_marked() -> None:
    fields = {"status": "confounded", "reason": "the members were named"}
    results = trials({"plain": [0.5] * 5, "other": [0.6] * 5}, **fields)
    found = compare(facts(["plain", "other"], [{"arm": "other", "versus": "plain", "better": True}]), results)
    value = found.arms["plain"][METRIC]
    assert (value.status, value.reason) == ("confounded", "the members were named")
    assert "the members were named" in found.claims[0].sentence and "the members were named" in str(found.differences[0].reason)
