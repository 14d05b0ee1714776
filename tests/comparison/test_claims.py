"""Claims of every form, both directions, against an oracle made of scipy alone."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from tasks.comparison.claims import Claim
from tasks.comparison.compare import compare
from tests.comparison.studies import METRIC, facts, trials
from tests.comparison.test_statistics import slow_holm

Floats = NDArray[np.float64]
FORMS: list[dict[str, Any]] = [
    {"better": True},
    {"not_worse_by": 0.02},
    {"equivalent_within": 0.03},
    {"at_least": 0.7},
    {"at_most": 0.72},
]


def p_of(form: dict[str, Any], values: Floats, better: int) -> float:
    """One-sided p of a claim; ``better`` is 1 where more is better and -1 where less is."""
    [(name, margin)] = form.items()
    if name == "better":
        return float(stats.ttest_1samp(better * values, 0, alternative="greater").pvalue)
    if name == "not_worse_by":
        return float(stats.ttest_1samp(better * values, -margin, alternative="greater").pvalue)
    if name == "equivalent_within":
        sides = (stats.ttest_1samp(values, -margin, alternative="greater"), stats.ttest_1samp(values, margin, alternative="less"))
        return float(max(side.pvalue for side in sides))
    return float(stats.ttest_1samp(values, margin, alternative="greater" if name == "at_least" else "less").pvalue)


def outside(form: dict[str, Any], values: Floats, better: int) -> bool:
    """Whether the whole 95% interval denies the claim: 1,001 values of it are asked."""
    [(name, margin)] = form.items()
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    among = np.linspace(low, high, 1001)
    true = {
        "better": better * among > 0,
        "not_worse_by": better * among > -margin,
        "equivalent_within": np.abs(among) < margin,
        "at_least": among >= margin,
        "at_most": among <= margin,
    }[name]
    return not true.any()


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("effect", [-0.08, -0.01, 0.0, 0.01, 0.08])
@pytest.mark.parametrize("noise", [0.005, 0.04])
def test_every_form_agrees_with_an_oracle(direction: str, effect: float, noise: float) -> None:
    """All five forms in one study of seven seeds, so that Holm's correction is over five tests."""
    draw = np.random.default_rng(int(1000 * (1 + effect + noise)))
    plain = draw.normal(0.7, 0.05, size=7)
    other = plain + effect + draw.normal(0, noise, size=7)
    claims = [{**form, "arm": "other"} | ({} if {"at_least", "at_most"} & set(form) else {"versus": "plain"}) for form in FORMS]
    found = compare(facts(["plain", "other"], claims), trials({"plain": list(plain), "other": list(other)}, direction=direction)).claims
    better = 1 if direction == "higher" else -1
    values = [other if {"at_least", "at_most"} & set(form) else other - plain for form in FORMS]
    expected = [p_of(form, value, better) for form, value in zip(FORMS, values, strict=True)]
    for answer, form, value, p, corrected in zip(found, FORMS, values, expected, slow_holm(expected), strict=True):
        assert answer.p == pytest.approx(p) and answer.p_holm == pytest.approx(corrected)
        assert answer.value == pytest.approx(value.mean()) and answer.n == 7
        verdict = "holds" if corrected < 0.025 else "contradicted" if outside(form, value, better) else "not shown"
        assert answer.verdict == verdict, answer.sentence
        assert answer.sentence.startswith({"holds": "Holds: ", "contradicted": "Contradicted: ", "not shown": "Not shown, and not contradicted: "}[verdict])


def test_the_cases_above_reach_every_verdict() -> None:
    """The control of the oracle: strong effects hold and are contradicted, weak ones are not shown."""
    draw = np.random.default_rng(0)
    plain = draw.normal(0.7, 0.05, size=7)
    verdicts = {}
    for effect, noise in ((0.08, 0.005), (-0.08, 0.005), (0.0, 0.04)):
        other = list(plain + effect + draw.normal(0, noise, size=7))
        claim = {"better": True, "arm": "other", "versus": "plain"}
        [answer] = compare(facts(["plain", "other"], [claim]), trials({"plain": list(plain), "other": other})).claims
        verdicts[effect] = answer.verdict
    assert verdicts == {0.08: "holds", -0.08: "contradicted", 0.0: "not shown"}


def test_a_difference_of_differences_is_that_of_each_seed() -> None:
    draw = np.random.default_rng(2)
    a, b, c, d = draw.normal(0.7, 0.1, size=(4, 6))
    claims = [{"arm": ["a", "b"], "versus": ["c", "d"], "better": True}, {"arm": ["a", "b"], "at_most": 0.5}]
    both, alone = compare(facts(list("abcd"), claims), trials({"a": list(a), "b": list(b), "c": list(c), "d": list(d)})).claims
    values = (a - b) - (c - d)
    assert both.value == pytest.approx(values.mean()) and both.p == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)
    assert both.arms == ("a", "b", "c", "d") and "(a less b) less (c less d)" in both.sentence
    assert alone.value == pytest.approx((a - b).mean()) and alone.p == pytest.approx(stats.ttest_1samp(a - b, 0.5, alternative="less").pvalue)


@pytest.mark.parametrize("seeds", [1, 2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_below_five_seeds_a_claim_is_descriptive_and_without_p(seeds: int, form: dict[str, Any]) -> None:
    versus = {} if {"at_least", "at_most"} & set(form) else {"versus": "plain"}
    draw = np.random.default_rng(seeds)
    numbers = {"plain": list(draw.normal(0.5, 0.01, size=seeds)), "other": list(draw.normal(0.9, 0.01, size=seeds))}
    found = compare(facts(["plain", "other"], [{**form, **versus, "arm": "other"}]), trials(numbers))
    [answer] = found.claims
    assert (answer.verdict, answer.p, answer.p_holm, answer.n) == ("descriptive", None, None, seeds)
    assert " p " not in answer.sentence and "a test needs 5" in answer.sentence
    [difference] = found.differences
    assert difference.status == "descriptive" and (difference.low is None) == (seeds == 1)


@pytest.mark.parametrize(
    ("form", "verdict"),
    [({"better": True}, "contradicted"), ({"not_worse_by": 0.01}, "holds"), ({"not_worse_by": 0.0}, "contradicted"), ({"equivalent_within": 0.01}, "holds")],
)
def test_identical_arms_are_judged_without_chance(form: dict[str, Any], verdict: str) -> None:
    values = list(np.random.default_rng(3).normal(0.7, 0.1, size=6))
    [answer] = compare(facts(["plain", "other"], [{**form, "arm": "other", "versus": "plain"}]), trials({"plain": values, "other": values})).claims
    assert (answer.verdict, answer.p, answer.value) == (verdict, None, 0) and "nothing is left to test" in answer.sentence


@pytest.mark.parametrize(("form", "verdict"), [({"at_least": 0.9}, "holds"), ({"at_least": 0.91}, "contradicted"), ({"at_most": 0.9}, "holds")])
def test_a_number_without_spread_is_judged_as_it_is(form: dict[str, Any], verdict: str) -> None:
    [answer] = compare(facts(["plain"], [{**form, "arm": "plain"}]), trials({"plain": [0.9] * 5})).claims
    assert (answer.verdict, answer.p) == (verdict, None)


def test_better_without_a_direction_is_not_answered() -> None:
    claims = [{"better": True, "arm": "other", "versus": "plain"}, {"equivalent_within": 1.0, "arm": "other", "versus": "plain"}]
    draw = np.random.default_rng(4).normal(size=(2, 6))
    first, second = compare(facts(["plain", "other"], claims), trials({"plain": list(draw[0]), "other": list(draw[1])}, direction="none")).claims
    assert first.verdict == "unanswered" and "no direction" in first.sentence and second.verdict != "unanswered"


def test_what_was_never_measured_is_not_answered() -> None:
    [answer] = compare(facts(["plain"], [{"arm": "plain", "at_least": 0.5, "metric": "utility/other"}]), trials({"plain": [0.5] * 5})).claims
    assert answer.verdict == "unanswered" and answer.value is None and answer.sentence == "Unanswered: plain: no trial of it has the number."


@pytest.mark.parametrize(
    "fields",
    [
        *({**dict(item for form in pair for item in form.items()), "versus": "plain"} for pair in product(FORMS[:1], FORMS[1:])),
        {"versus": "plain"},
        {"better": True},
        {"at_least": 0.5, "versus": "plain"},
        {"better": True, "arm": ["other", "plain"], "versus": "plain"},
        {"better": True, "arm": ["other", "plain", "x"], "versus": ["a", "b"]},
        {"better": False, "versus": "plain"},
        {"not_worse_by": -0.1, "versus": "plain"},
        {"equivalent_within": 0, "versus": "plain"},
        {"at_least": float("inf")},
    ],
)
def test_a_claim_without_exactly_one_meaning_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Claim.model_validate({"id": "c", "says": "x", "metric": METRIC, "arm": "other", **fields})
