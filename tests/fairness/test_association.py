"""WEAT, SEAT and CEAT: against plain loops, statsmodels, and vectors with a planted association."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from tasks.fairness._association import associations, effect_size, permutation_p
from tasks.fairness._ceat import draws, p_value, pooled
from tasks.fairness._contexts import contexts_of
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.wordsets import Resolved, resolve


def planted(strength: float, seed: int = 0, words: int = 8) -> tuple[np.ndarray, ...]:
    """X, Y, A, B in 20 dimensions: X and A lie along one direction, Y and B along the other, by ``strength``."""
    generator = np.random.default_rng(seed)
    one, other = np.eye(20)[0], np.eye(20)[1]
    noise = generator.normal(size=(4, words, 20))
    return tuple(noise[place] + strength * direction for place, direction in enumerate((one, other, one, other)))


def slow_association(word: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    def cosine(v: np.ndarray, w: np.ndarray) -> float:
        return float(sum(v * w) / (sum(v * v) ** 0.5 * sum(w * w) ** 0.5))

    return sum(cosine(word, other) for other in a) / len(a) - sum(cosine(word, other) for other in b) / len(b)


def test_the_effect_size_and_the_exact_p_are_those_of_plain_loops() -> None:
    x, y, a, b = planted(0.6, words=5)
    s = [slow_association(word, a, b) for word in (*x, *y)]
    mean = sum(s) / len(s)
    deviation = (sum((value - mean) ** 2 for value in s) / (len(s) - 1)) ** 0.5
    expected = (sum(s[:5]) / 5 - sum(s[5:]) / 5) / deviation
    of_x, of_y = associations(x, a, b), associations(y, a, b)
    assert float(effect_size(of_x, of_y)) == pytest.approx(expected, abs=1e-12)
    observed = sum(s[:5]) - sum(s[5:])
    splits = [sum(s[i] for i in part) - sum(s[i] for i in range(10) if i not in part) for part in combinations(range(10), 5)]
    generator = np.random.default_rng(0)
    assert permutation_p(of_x, of_y, generator) == pytest.approx(sum(value >= observed - 1e-12 for value in splits) / len(splits))
    assert permutation_p(of_x, of_y, generator, strict=True) == pytest.approx(sum(value > observed + 1e-12 for value in splits) / len(splits))


def test_a_sampled_p_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 splits of 16: five deviations of a share of a half are 0.018; false alarm under one in a million."""
    of_x, of_y = np.random.default_rng(5).normal(0.4, 1, 8), np.random.default_rng(6).normal(0, 1, 8)
    exact = permutation_p(of_x, of_y, np.random.default_rng(0))
    monkeypatch.setattr("tasks.fairness._association.MOST_SPLITS", 10_000)
    sampled = permutation_p(of_x, of_y, np.random.default_rng(1))
    assert sampled != exact and abs(sampled - exact) < 0.025


def test_pooling_is_that_of_statsmodels_to_the_last_digit() -> None:
    """Its tau2 is not cut at 0: where it is below, the pooling is that of its fixed effects."""
    generator = np.random.default_rng(3)
    for spread in (0.0, 0.8):
        effects = generator.normal(0.4, 0.1 + spread, 400)
        variances = generator.uniform(0.01, 0.2, 400)
        found = pooled(effects, variances)
        with np.errstate(invalid="ignore"):  # its Hartung-Knapp variance, unused here, is below 0 where tau2 is
            expected = combine_effects(effects, variances, method_re="chi2", use_t=False)
        assert (expected.tau2 < 0) == (spread == 0)
        value, error = (expected.mean_effect_fe, expected.sd_eff_w_fe) if spread == 0 else (expected.mean_effect_re, expected.sd_eff_w_re)
        assert found.value == pytest.approx(value, rel=1e-12) and found.error == pytest.approx(error, rel=1e-12)
        assert found.between == pytest.approx(max(0.0, expected.tau2), rel=1e-10, abs=1e-15)


def test_the_paper_and_its_code_tell_p_differently() -> None:
    found = pooled(np.asarray([0.2, 0.4, 0.1]), np.asarray([0.1, 0.2, 0.1]))
    assert p_value(found, "two") == pytest.approx(2 * p_value(found, "one"))
    turned = pooled(np.asarray([-0.2, -0.4, -0.1]), np.asarray([0.1, 0.2, 0.1]))
    assert p_value(turned, "two") == pytest.approx(p_value(found, "two")) and p_value(turned, "one") == pytest.approx(1 - p_value(found, "one"))


def contexts(strength: float, seed: int = 0) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(seed)
    return [[word + generator.normal(0, 0.3, size=(30, 20)) for word in side] for side in planted(strength, seed)]


def test_draws_are_effect_sizes_of_one_context_each() -> None:
    lists = contexts(0.5)
    effects, variances, _ = draws(lists, 40, np.random.default_rng(7), replace=True)
    generator = np.random.default_rng(7)
    chosen = [[generator.integers(30, size=40) for _ in side] for side in lists]
    for draw in (0, 17, 39):
        x, y, a, b = (np.stack([word[places[draw]] for word, places in zip(side, chosen[n], strict=True)]) for n, side in enumerate(lists))
        s = [slow_association(word, a, b) for word in (*x, *y)]
        assert effects[draw] == pytest.approx(float(effect_size(np.asarray(s[:8]), np.asarray(s[8:]))), abs=1e-5)
        assert variances[draw] == pytest.approx(np.std(s, ddof=1) ** 2, rel=1e-5)


def test_without_replacement_no_context_comes_twice() -> None:
    from tasks.fairness._ceat import _places

    assert len(set(_places(30, 30, np.random.default_rng(0), replace=False))) == 30
    assert len(set(_places(30, 31, np.random.default_rng(0), replace=False))) < 31


def by_name(found: Any) -> dict[str, Any]:
    return {row.name.removeprefix("fairness/"): row for row in found.rows}


def test_a_planted_association_is_flagged_and_none_lies_within_its_margin() -> None:
    """SEAT and CEAT of 8 words a list. Without association d has a deviation of about 0.5: beyond 1.6 less than 2 times in 1,000."""
    seat: Any = FAIRNESS.parse({"kind": "seat", "words": "synthetic-valence"})
    names = tuple(str(number) for number in range(8))
    test = Resolved("planted", names, names, names, names, published=False)
    for strength, found_there in ((0.0, False), (3.0, True)):
        sides = iter(planted(strength, seed=11))
        rows = by_name(seat.scored([test], lambda words, sides=sides: next(sides), 0))
        value = rows["seat/planted/score"].value
        assert (abs(value) > 1.6) == found_there
        assert rows["seat/difference"].value == pytest.approx(abs(value))
        if found_there:
            assert rows["seat/planted/score"].low > 1.0
        ceat: Any = FAIRNESS.parse({"kind": "ceat", "words": "synthetic-valence", "contexts": {"kind": "wikitext-2"}, "draws": 500, "variance": "hedges"})
        score = by_name(ceat.scored(contexts(strength, seed=11), 0, {}, None))["ceat/score"]
        assert (abs(score.value) > 1.0) == found_there


def test_words_are_found_whole_whatever_their_case_and_at_most_so_often() -> None:
    texts = ["The Nurse saw a nursery.", "nurse, nurse!", "no one"]
    found = contexts_of(texts, ["nurse", "doctor"], 10)
    assert found["doctor"] == [] and len(found["nurse"]) == 3
    assert all(sentence[place].lower() == "nurse" for sentence, place in found["nurse"])
    assert len(contexts_of(texts, ["nurse"], 2)["nurse"]) == 2
    long = [" ".join(["word"] * 100 + ["nurse"] + ["word"] * 100)]
    ((sentence, place),) = contexts_of(long, ["nurse"], 1)["nurse"]
    assert len(sentence) == 60 and sentence[place] == "nurse"


def test_words_of_ones_own_need_names_and_a_test_is_known() -> None:
    with pytest.raises(ValueError, match="no test is named"):
        FAIRNESS.parse({"kind": "seat", "tests": ["weat99"]})
    with pytest.raises(ValueError, match="either test or words"):
        FAIRNESS.parse({"kind": "ceat", "contexts": {"kind": "wikitext-2"}})
    assert resolve(None, "synthetic-occupations").lists[0][0] == "she"
