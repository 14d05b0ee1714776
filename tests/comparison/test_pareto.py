"""The Pareto front against a slow obvious twin, and in words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.pareto import Front, dominance, pareto
from tasks.comparison.results import TrialResult
from tasks.core.measures import Row
from tests.comparison.private_studies import CONDITIONS, private_facts, private_rows, private_study
from tests.comparison.studies import facts, row, trials

Arm = tuple[float | None, float | None, float | None]
"""Epsilon (None without privacy), utility and difference (None where it is missing)."""

few = st.sampled_from([0.1, 0.2, 0.3])
arms_of = st.dictionaries(
    st.sampled_from([f"arm-{letter}" for letter in "abcdefg"]),
    st.tuples(st.sampled_from([None, 1.0, 3.0, 8.0]), st.none() | few, st.none() | few),
    min_size=1,
    max_size=7,
)


def study(arms: dict[str, Arm], utility: str = "higher") -> Comparison:
    """One trial per arm; a missing number is undefined."""
    found = []
    for arm, (epsilon, score, gap) in arms.items():
        rows = [row(score, direction=utility), row(gap, "fairness/accuracy/difference", direction="lower")]
        found.append(TrialResult(arm, 0, (*rows, *(private_rows(epsilon) if epsilon is not None else ())), "finished"))
    return compare(facts(list(arms)), found)


def slow(arms: dict[str, Arm], utility: str) -> dict[str, set[str]]:
    """Each arm that has every number that some arm has, with all arms that beat it: no worse in each and better in one."""
    judged = [place for place in (1, 2) if any(numbers[place] is not None for numbers in arms.values())]
    whole = {arm: numbers for arm, numbers in arms.items() if all(numbers[place] is not None for place in judged)}

    def beats(one: Arm, other: Arm) -> bool:
        pairs = [(one[0] or math.inf, other[0] or math.inf)]
        for place in judged:
            sign = -1 if place == 1 and utility == "higher" else 1
            pairs.append((sign * float(one[place] or 0), sign * float(other[place] or 0)))
        return not any(a > b for a, b in pairs) and any(a < b for a, b in pairs)

    return {arm: {other for other in whole if beats(whole[other], whole[arm])} for arm in whole}


def fronted(comparison: Comparison) -> Front | None:
    return pareto(comparison, columns(comparison))


@given(arms_of, st.sampled_from(["higher", "lower"]))
def test_the_front_is_that_of_a_slow_twin(arms: dict[str, Arm], utility: str) -> None:
    found, beaten = fronted(study(arms, utility)), slow(arms, utility)
    judged = any(numbers[1] is not None or numbers[2] is not None for numbers in arms.values())
    if not judged or len(beaten) < 2 or all(arms[arm][0] is None for arm in beaten):
        assert found is None
        return
    assert found is not None
    best = {arm for arm, by in beaten.items() if not by}
    assert set(found.best) == best and set(found.left_out) == set(arms) - set(beaten)
    assert {arm: set(by) for arm, by in found.dominated.items()} == {arm: by & best for arm, by in beaten.items() if by}
    assert all(found.dominated.values())


def test_the_twin_tells_a_wrong_front() -> None:
    """The control: with utility read the wrong way round the front is another."""
    arms: dict[str, Arm] = {"a": (1.0, 0.9, 0.1), "b": (3.0, 0.8, 0.1), "c": (8.0, 0.95, 0.1)}
    right = fronted(study(arms))
    assert right is not None and right.best == ("a", "c")
    assert {arm for arm, by in slow(arms, "higher").items() if not by} == {"a", "c"} != {arm for arm, by in slow(arms, "lower").items() if not by}


def test_arms_that_are_equal_do_not_dominate_each_other() -> None:
    best, dominated = dominance({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 3.0]})
    assert best == ("a", "b") and dominated == {"c": ("a", "b")}


@pytest.mark.parametrize(("other", "best"), [(2.9996, ("a",)), (3.2, ("a", "b"))])
def test_epsilon_counts_as_it_is_guaranteed(other: float, best: tuple[str, ...]) -> None:
    """Two calibrations to epsilon 3 end a little below it, which makes neither more private; 3.2 against 3 is a difference."""
    found = fronted(study({"a": (other, 0.9, 0.1), "b": (2.9991, 0.8, 0.1)}))
    assert found is not None and found.best == best


def test_the_front_in_words() -> None:
    arms: dict[str, Arm] = {"plain": (None, 0.9, 0.1), "eps-8": (8.0, 0.7, 0.3), "eps-3": (3.0, 0.8, 0.2), "lost": (1.0, None, 0.1)}
    found = fronted(study(arms))
    assert found is not None
    assert found.sentence == (
        "Pareto front over (privacy/epsilon, utility/accuracy, fairness/accuracy/difference), by means (no privacy: infinite epsilon): "
        "plain, eps-3. Dominated: eps-8 (by eps-3). Left out: lost (no utility/accuracy)."
    )


def test_only_what_is_measured_is_weighed() -> None:
    results = [TrialResult(arm, 0, (row(value), *private_rows(epsilon)), "finished") for arm, value, epsilon in (("a", 0.5, 1.0), ("b", 0.6, 3.0))]
    found = fronted(compare(facts(["a", "b"]), results))
    assert found is not None
    assert found.sentence == "Pareto front over (privacy/epsilon, utility/accuracy), by means: a, b. Dominated: none."


def test_an_epsilon_under_other_conditions_is_left_out_and_named() -> None:
    unlike = {"eps-3": {**CONDITIONS, "unit": "user"}, "eps-1": {**CONDITIONS, "delta": "1e-05"}}
    found = fronted(private_study({"plain": None, "eps-8": 8.0, "eps-4": 4.0, "eps-3": 3.0, "eps-1": 1.0}, conditions=unlike))
    assert found is not None and set(found.best) == {"plain", "eps-8", "eps-4"}
    assert found.left_out == {"eps-3": "privacy/epsilon under another unit", "eps-1": "privacy/epsilon under another delta"}
    alike = fronted(private_study({"plain": None, "eps-8": 8.0, "eps-4": 4.0, "eps-3": 3.0, "eps-1": 1.0}))
    assert alike is not None and alike.left_out == {}


def test_a_doubt_of_a_number_is_said() -> None:
    rows = [{"status": "confounded", "reason": "small groups"}, {}]
    results = [TrialResult(arm, 0, (row(0.5, **fields), *private_rows(1.0)), "finished") for arm, fields in zip("ab", rows, strict=True)]
    found = fronted(compare(facts(["a", "b"]), results))
    assert found is not None and found.sentence.endswith("Confounded (a): small groups.")


@pytest.mark.parametrize(
    "results",
    [
        [],
        trials({"plain": [0.5], "other": [0.6]}),
        [TrialResult("plain", 0, (row(0.5), *private_rows(1.0)), "finished")],
        [TrialResult(arm, 0, private_rows(1.0), "finished") for arm in ("plain", "other")],
    ],
)
def test_there_is_no_front_of_nothing(results: list[Any]) -> None:
    """No trial, no epsilon, a single arm, nothing but epsilon."""
    assert fronted(compare(facts(["plain", "other"]), results)) is None


def test_an_arm_whose_every_trial_failed_is_not_taken_for_one_without_privacy() -> None:
    arms = {"plain": None, "eps-3": 3.0, "eps-1": 1.0}
    whole = private_study(arms)
    results = [TrialResult("eps-1", 0, (), "failed")]
    results += [
        TrialResult(arm, 0, (Row(name="utility/accuracy", value=0.5, direction="higher"), *rows), "finished")
        for arm, rows in (("plain", ()), ("eps-3", private_rows(3.0)))
    ]
    found = fronted(compare(private_facts(arms), results))
    assert found is not None and found.left_out == {"eps-1": "no privacy/epsilon, no utility/accuracy"}
    control = fronted(whole)
    assert control is not None and control.left_out == {}
