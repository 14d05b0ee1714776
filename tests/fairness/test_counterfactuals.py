"""Interchangeable words, the counterfactual gap, and which of two measures follows a rating."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tasks.fairness._following import following
from tasks.fairness._judged import Opened
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.terms import IDENTITIES, UNCLEAR, Terms, terms
from tasks.text.gender_words import PAIRS

SAID = {"data": "d", "split": "test"}


class Says:
    """The probability of 'yes' is what the test's function gives a text."""

    device = "cpu"

    def __init__(self, chance: Any, labels: tuple[str, ...] = ("no", "yes")) -> None:
        self.chance, self.shape = chance, type("Shape", (), {"labels": labels})

    def classify(self, texts: list[str]) -> np.ndarray:
        found = np.asarray([self.chance(text) for text in texts], dtype=float)
        return np.column_stack([1 - found, found]) if found.ndim == 1 else found


def opened(chance: Any, texts: list[str], **columns: Any) -> Opened:
    records = pd.DataFrame({"id": [str(number) for number in range(len(texts))], "text": texts, "label": ["no"] * len(texts), **columns})
    return Opened(Says(chance), records, SAID)  # type: ignore[arg-type]


def metric(**fields: Any) -> Any:
    return FAIRNESS.parse({"kind": "counterfactual-token-fairness", "terms": "synthetic", "minimum": 1, **fields})


def test_no_word_stands_twice_and_each_set_has_a_partner() -> None:
    for sets in (PAIRS, IDENTITIES):
        words = [word for members in sets for word in members]
        assert len(words) == len(set(words)) and all(len(members) > 1 for members in sets) and words == [word.lower() for word in words]
        assert not set(words) & set(UNCLEAR)


def test_words_are_replaced_whole_in_step_and_in_their_case() -> None:
    gender, identities = terms("gender"), terms("identities")
    assert gender.counterparts("She said the WOMEN and a Girl are mannish womanish", 8) == ["He said the MEN and a Boy are mannish womanish"]
    assert gender.counterparts("she lost her book", 8) == [] and gender.counterparts("nobody", 8) == []
    found = identities.counterparts("a muslim and a jewish man", 50)
    assert len(found) == 6 and len(set(found)) == 6
    for text in found:
        first, second = text.split()[1], text.split()[4]
        assert first != second and {first, second} <= set(IDENTITIES[0]) and text.endswith("woman")
    assert identities.counterparts("a muslim", 2) == ["a jewish", "a buddhist"]


def test_pairs_swapped_twice_give_the_text_back() -> None:
    words = terms("synthetic")
    for text in ("people say my mother is tall", "The lady was kind to the wife", "on monday he was late"):
        (once,) = words.counterparts(text, 8)
        assert once != text and words.counterparts(once, 8) == [text]


def test_longer_terms_come_first_and_excluded_words_leave_a_text_out() -> None:
    own = Terms((("african american", "european american"), ("african", "asian")), ("slur",))
    assert own.counterparts("an african american met an african", 1) == ["an european american met an asian"]
    assert own.counterparts("african slur", 1) == [] and own.counterparts("african slurry", 1) != []


def test_the_gap_is_the_mean_distance_to_all_counterparts() -> None:
    chance = {"a muslim man": 0.9, "a jewish woman": 0.4, "a buddhist woman": 0.6, "a jew": 0.1}
    found = metric(terms="identities", variants=2).gaps(opened(chance.__getitem__, ["a muslim man", "nobody"]))
    assert found[0][0] == pytest.approx((0.5 + 0.3) / 2) and np.isnan(found[0][1]) and found[1].tolist() == [2, 0]


def test_a_model_that_ignores_the_words_has_no_gap_and_a_planted_effect_is_the_gap() -> None:
    texts = [f"{who} is {what} on monday" for who in ("she", "he", "the woman", "my brother") for what in ("kind", "rude", "late", "tall") for _ in range(4)]
    for effect in (0.0, 0.2, 0.6):
        said = opened(lambda text, effect=effect: 0.5 + effect / 2 * (1 if text.startswith(("she", "the woman", "my sister")) else -1), texts)
        (row,) = metric().scored(said, 0).rows
        assert row.value == pytest.approx(effect) and row.n == len(texts) and row.direction == "lower"
    (row,) = metric(minimum=100).scored(said, 0).rows
    assert row.status == "insufficient_evidence"


def test_only_records_of_one_label_count_where_asked() -> None:
    said = opened(lambda text: 0.9 if "she" in text else 0.1, ["she is kind", "she is rude"])
    said.records["label"] = ["no", "yes"]
    gaps, counts = metric(only_label="no").gaps(said)
    assert counts.tolist() == [1, 0] and gaps[0] == pytest.approx(0.8)


def test_more_than_two_labels_move_by_total_variation() -> None:
    answers = {"she is kind": [0.7, 0.2, 0.1], "he is kind": [0.3, 0.5, 0.2]}
    said = Opened(Says(answers.__getitem__, ("a", "b", "c")), opened(lambda text: 0, ["she is kind"]).records, SAID)  # type: ignore[arg-type]
    assert metric().gaps(said)[0][0] == pytest.approx(0.4)
    assert metric(positive="b").gaps(said)[0][0] == pytest.approx(0.3)


def test_the_correlations_are_those_of_scipy_and_the_closer_measure_is_found() -> None:
    generator = np.random.default_rng(0)
    rating = np.round(generator.random(300), 1)
    close, far = rating + generator.normal(0, 0.1, 300), rating + generator.normal(0, 1.0, 300)
    users = np.asarray([f"u{number % 100}" for number in range(300)])
    found = following(close, far, rating, users, np.random.default_rng(1))
    assert found is not None and found.p is not None and found.difference[1] is not None
    assert found.first[0] == pytest.approx(spearmanr(close, rating).statistic) and found.second[0] == pytest.approx(spearmanr(far, rating).statistic)
    assert found.difference[1][0] > 0 and found.p < 0.01
    turned = following(far, close, rating, users, np.random.default_rng(1))
    assert turned is not None and turned.difference[0] == pytest.approx(-found.difference[0])
    assert following(close, np.zeros(300), rating, users, np.random.default_rng(1)) is None


def test_equal_measures_are_seldom_told_apart() -> None:
    """20 draws at 5%: 5 or more false alarms come by chance less than once in 300."""
    alarms = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        rating = generator.random(80)
        one, other = (rating + generator.normal(0, 0.5, 80) for _ in range(2))
        found = following(one, other, rating, np.arange(80).astype(str), generator)
        assert found is not None and found.p is not None
        alarms += found.p < 0.05
    assert alarms < 5


def detection(**fields: Any) -> Any:
    parts = {"sensitivity": {"kind": "prediction-sensitivity", "form": "raw", "terms": "synthetic"}}
    return FAIRNESS.parse({"kind": "bias-detection", "counterfactual": {"kind": "counterfactual-token-fairness", "terms": "synthetic"}, **parts, **fields})


def test_two_measures_are_held_against_one_rating(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap is the planted effect itself, the sensitivity noise: the first follows, the second does not."""
    generator = np.random.default_rng(0)
    effects = dict(zip(("she", "the woman", "my sister", "the girl"), (0.0, 0.2, 0.5, 0.8), strict=True))
    texts = [f"{who} is tall" for who in effects for _ in range(20)]
    rating = [effects[text.removesuffix(" is tall")] for text in texts]
    said = opened(lambda text: 0.5 + next((effect / 2 for who, effect in effects.items() if text.startswith(who)), 0.0), texts, rating=rating)
    found = detection()
    kind = type(found.sensitivity)
    monkeypatch.setattr(kind, "sensitivities", lambda self, opened, needed, report: {"raw": generator.random(len(texts))})
    rows = {row.name.removeprefix("fairness/bias_detection/"): row for row in found.scored(said, {}, 0, None).rows}
    assert rows["counterfactual/score"].value == pytest.approx(1.0) and abs(rows["sensitivity/score"].value or 0) < 0.35
    assert rows["difference"].high is not None and rows["difference"].high < 0 and "p of no difference" in (rows["difference"].reason or "")
    assert rows["counterfactual_auc/score"].value == 1.0 and rows["counterfactual_auc/score"].conditions["groups"] == "biased 60, not 20"
    rated = detection(rated_above=0).scored(said, {}, 0, None).rows
    assert len(rated) == 3 and {row.n for row in rated} == {60}, "among texts that all have a rating there is no area"


def test_without_ratings_nothing_is_told_and_parts_have_no_data_of_their_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = detection()
    monkeypatch.setattr(type(found), "opened", lambda *_: opened(lambda text: 0.5, ["she is tall"]))
    assert {row.status for row in found.measure(tmp_path, {}, tmp_path, 0, None).rows} == {"unsupported"}
    with pytest.raises(ValueError, match="stands on the data of bias-detection"):
        detection(sensitivity={"kind": "prediction-sensitivity", "data": {"kind": "hatexplain"}})
    assert found.headline == ""
