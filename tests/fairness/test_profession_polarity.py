"""Profession polarity: ratios by hand and against a count in dicts, even and skewed text, what is left out, and which prompts are asked."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tasks.core.measures import Row, WordVectors
from tasks.data._biographies import OPENINGS
from tasks.data._bold import wikipedia
from tasks.data._stereotype_words import OCCUPATIONS
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness._generation import Prompt, Written
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.profession_polarity import ProfessionPolarity, least_of, middle, ratios
from tasks.fairness.scorers.polarity_embedding import PolarityEmbedding
from tests.fairness.fakes import by_name, fair, held, holds, opened
from tests.pipelines.metric_names import unfit

PREFIX = "profession_polarity"
SYNTHETIC: dict[str, Any] = {"items": "synthetic", "polarity": {"kind": "polarity-unigram"}}
TEXTS = {1: "and she went with her sister", -1: "and he went with his brother", 0: "and went to the town"}
Ints = NDArray[np.int64]


def metric(**fields: Any) -> ProfessionPolarity:
    found = FAIRNESS.parse({"kind": "profession-polarity", **fields})
    assert isinstance(found, ProfessionPolarity)
    return found


def rows(professions: Sequence[str], number: Sequence[int] | Ints, label: Sequence[int] | Ints, clusters: Any = None, seed: int = 0) -> dict[str, Row]:
    units = np.arange(len(label)) if clusters is None else np.asarray(clusters)
    found = metric(minimum_items=1).rows(professions, np.asarray(number), np.asarray(label), units, seed, {"decoding": "d"})
    assert not [row.name for row in found if unfit(row.name)]
    return {row.name.removeprefix(f"fairness/{PREFIX}/"): row for row in found}


def twin(professions: Sequence[str], number: Sequence[int] | Ints, label: Sequence[int] | Ints) -> dict[str, float]:
    """min(F/M, M/F) of each profession that has any, by counting in dicts."""
    counts: dict[str, dict[int, int]] = {profession: {1: 0, -1: 0, 0: 0} for profession in professions}
    for place, value in zip(number, label, strict=True):
        counts[professions[int(place)]][int(value)] += 1
    found = {}
    for profession, of in counts.items():
        if of[1] or of[-1]:
            found[profession] = min(of[1] / of[-1], of[-1] / of[1]) if of[1] and of[-1] else 0.0
    return found


def drawn(shares: Sequence[float], each: int, seed: int, gendered: float = 1.0) -> tuple[list[str], Ints, Ints]:
    """Of each profession so many continuations, female by a share."""
    generator = np.random.default_rng(seed)
    number = np.repeat(np.arange(len(shares)), each)
    label = np.where(generator.random(len(number)) < np.asarray(shares)[number], 1, -1) * (generator.random(len(number)) < gendered)
    return [f"p {place}" for place in range(len(shares))], number, label


def test_ratios_by_hand() -> None:
    """10 and 40; 7 and 7; 5 and none; none and 3; none at all."""
    counts = np.array([[10, 40, 7, 7, 5, 0, 0, 3, 0, 0], [40, 10, 0, 0, 0, 0, 0, 0, 0, 0], [0] * 10], dtype=float)
    found = ratios(counts)
    np.testing.assert_array_equal(found, [[0.25, 1, 0, 0, np.nan], [0.25, np.nan, np.nan, np.nan, np.nan], [np.nan] * 5])
    np.testing.assert_array_equal(middle(found), [1.25 / 4, 0.25, np.nan])
    np.testing.assert_array_equal(least_of(found), [0, 0.25, np.nan])


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_those_of_a_count_in_dicts(seed: int) -> None:
    professions, number, label = drawn([0.5, 0.9, 0.2, 1.0, 0.6, 0.5], 60, seed, gendered=0.7)
    label = np.where(number == 5, 0, label)
    found, expected = rows(professions, number, label, seed=seed), twin(professions, number, label)
    assert set(expected) == set(professions[:5]) and expected["p 3"] == 0.0 and len(set(expected.values())) == 5
    assert set(found) == {"score", "worst_group", *(f"by_group/p_{place}" for place in range(6))}
    assert fair(found["score"]) == pytest.approx(np.mean(list(expected.values()))) and fair(found["worst_group"]) == 0.0
    for place in range(5):
        row = found[f"by_group/p_{place}"]
        assert fair(row) == pytest.approx(expected[f"p {place}"]) and row.n == 60 and (place == 3 or holds(row, fair(row)))
        of = label[number == place]
        assert row.reason == f"{(of == 1).sum()} female, {(of == -1).sum()} male, {(of == 0).sum()} neither"
    assert holds(found["score"], fair(found["score"])) and (found["score"].lowest, found["score"].highest) == (0.0, 1.0)
    assert found["score"].n == found["worst_group"].n == (label != 0).sum()


def test_a_profession_without_gendered_text_is_left_out_and_named() -> None:
    found = rows(["a nurse", "a/b", "pilot"], [0, 0, 0, 1, 2, 2], [1, 1, -1, 0, 1, -1])
    none = found["by_group/a_b"]
    assert (none.status, none.value, none.n, none.reason) == ("undefined", None, 1, "no gendered continuation: 0 female, 0 male, 1 neither")
    assert fair(found["score"]) == pytest.approx((0.5 + 1) / 2) and fair(found["worst_group"]) == 0.5
    assert found["score"].reason == "5 of 6 continuations are gendered; no ratio, for want of one: a/b"
    assert "too low where counts are small" in str(found["worst_group"].reason)


def test_higher_is_fairer_also_where_nothing_can_be_told() -> None:
    """A number without a value tells the comparison its direction too."""
    told, none = rows(["a", "b"], [0, 0, 1], [1, -1, 0]), metric().rows(["a"], np.zeros(29, int), np.ones(29, int), np.arange(29), 0, {})
    assert {row.direction for row in (*told.values(), *none, *metric().without("unsupported", "why"))} == {"higher"}
    assert told["score"].conditions["ideal"] == "1" and "ideal" not in told["by_group/a"].conditions


def test_too_few_gendered_continuations_are_no_evidence() -> None:
    """29 are gendered, and a thousand that are not do not help."""
    label = np.concatenate([np.tile([1, -1], 15)[:29], np.zeros(1000, int)])
    found = metric().rows(["a"], np.zeros(len(label), int), label, np.arange(len(label)), 0, {})
    assert [(row.name, row.status, row.value, row.n) for row in found] == [
        (f"fairness/{PREFIX}/{name}", "insufficient_evidence", None, 29) for name in ("score", "worst_group")
    ]
    assert found[0].reason == "29 gendered continuations, 30 are needed"
    assert [row.status for row in metric().rows(["a"], np.zeros(30, int), np.tile([1, -1], 15), np.arange(30), 0, {})] == ["ok"] * 3
    nothing = metric(minimum_items=1).rows(["a"], np.zeros(5, int), np.zeros(5, int), np.arange(5), 0, {})
    assert {row.status for row in nothing} == {"insufficient_evidence"}


def test_even_text_is_near_one_and_falls_as_a_skew_is_planted() -> None:
    """Of 1000 draws at even chances F lies within 64 of 500 but once in 16,000: a ratio of at least .77."""
    units = np.arange(8000) // 10  # fewer to draw, each of ten alike in nothing
    even, some, much = (rows(*drawn([0.5 + skew / 2, 0.5 - skew / 2] * 4, 1000, seed=1), units) for skew in (0.0, 0.5, 0.9))
    assert fair(even["worst_group"]) > 0.77 and fair(even["score"]) > 0.88
    assert fair(some["score"]) == pytest.approx(0.25 / 0.75, abs=0.03) and fair(much["score"]) == pytest.approx(0.05 / 0.95, abs=0.02)
    assert held(even["score"])[0] > held(some["score"])[1] > held(some["score"])[0] > held(much["score"])[1]


def test_the_interval_draws_all_continuations_of_a_prompt_together() -> None:
    """Ten alike of each of 40 prompts: by continuation the interval would be too narrow by the root of 10."""
    label = np.repeat(np.tile([1, -1], 20), 10)
    together, apart = (held(rows(["a"], np.zeros(400, int), label, clusters)["by_group/a"]) for clusters in (np.repeat(np.arange(40), 10), np.arange(400)))
    assert (together[1] - together[0]) / (apart[1] - apart[0]) > 2


def asked_of(texts: dict[str, list[str]], prompt: str = "she said that her {}") -> tuple[list[Prompt], list[Written]]:
    """A prompt of gendered words for each profession, with two continuations each time."""
    asked: list[Prompt] = []
    written: list[Written] = []
    for profession, said in texts.items():
        for number in range(0, len(said), 2):
            written += [Written(len(asked), sample, text) for sample, text in enumerate(said[number : number + 2])]
            asked.append(Prompt(f"{profession}/{number}", "profession", profession, prompt.format(profession)))
    return asked, written


def test_continuations_are_judged_and_prompts_never() -> None:
    asked, written = asked_of({"nurse": [TEXTS[1]] * 10 + [TEXTS[-1]] * 5 + [TEXTS[0]] * 5, "pilot": [TEXTS[0]] * 20, "mason": [TEXTS[1], TEXTS[-1]] * 10})
    measures = metric(**SYNTHETIC).judged(asked, written, {}, 0, {"decoding": "d"}, None)
    found = by_name(measures, PREFIX)
    assert (fair(found["by_group/nurse"]), fair(found["by_group/mason"]), found["by_group/pilot"].status) == (0.5, 1.0, "undefined")
    assert fair(found["score"]) == 0.75 and found["score"].conditions["decoding"] == "d"
    items = measures.items
    assert items["id"][:2] == ["nurse/0#0", "nurse/0#1"] and len(set(items["cluster"])) == len(asked) and Counter(items["label"]) == {1: 20, -1: 15, 0: 25}
    assert set(items) == {"id", "cluster", "profession", "label"}


def test_the_threshold_belongs_to_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PolarityEmbedding, "score", lambda self, texts, needed, report: np.array([float(text) for text in texts]))
    asked, written = asked_of({"nurse": ["0.25", "-0.25", "0.2499", "-0.2499", "0", "1", "-0.3", "0.9"]})
    for threshold, expected in ((0.25, [1, -1, 0, 0, 0, 1, -1, 1]), (0.5, [0, 0, 0, 0, 0, 1, 0, 1])):
        assert metric(threshold=threshold).judged(asked, written, {}, 0, {}, None).items["label"] == expected
    (need,) = metric().needs({})
    assert isinstance(need, WordVectors) and need.data["kind"] == "bold-wikipedia" and metric(**SYNTHETIC).needs({}) == ()


def begins(sentences: Sequence[str], prompt: str) -> bool:
    """Whether one of some sorted sentences begins with a prompt."""
    place = bisect_left(sentences, prompt)
    return place < len(sentences) and sentences[place].startswith(prompt)


def test_held_out_prompts_begin_sentences_that_are_not_trained_on(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what Wikipedia says on two pages, which is fewer than one in fifty. Positive control: nearly all others begin one that is."""
    data = DATASETS.parse({"kind": "bold-wikipedia", "by": "title", "test_share": 0.3})
    assert isinstance(data, Dataset)
    splits = data.load(catalogue).splits
    kept, every = metric(held_out=0.3).prompts(), metric().prompts()
    ids = {prompt.id for prompt in kept}
    others = [prompt for prompt in every if prompt.id not in ids]
    assert len(every) == 10195 and 0.3 < len(kept) / len(every) < 0.34 and {prompt.group for prompt in kept} == {prompt.group for prompt in every}
    trained, tested = (sorted(splits[name]["text"]) for name in ("train", "test"))
    assert all(begins(tested, prompt.text) for prompt in kept) and sum(begins(trained, prompt.text) for prompt in others) > 0.98 * len(others)
    assert sum(begins(trained, prompt.text) for prompt in kept) < len(kept) / 50
    pages = {f"profession/{page.category}/{page.title}": set(page.texts) for page in wikipedia("profession", catalogue)}
    held_pages = {prompt.id.rpartition("/")[0] for prompt in kept}
    assert not held_pages & {prompt.id.rpartition("/")[0] for prompt in others}
    assert set().union(*(pages[page] for page in held_pages)) <= set(tested)


def test_most_prompts_are_of_a_profession_and_the_same_for_every_model(catalogue: Path) -> None:
    every = metric().asked()
    sizes = Counter(prompt.group for prompt in every)
    few, more = metric(most_prompts=7).asked(), metric(most_prompts=100, samples=3, decoding={"greedy": True}).asked()
    assert Counter(prompt.group for prompt in few) == dict.fromkeys(sizes, 7)
    assert Counter(prompt.group for prompt in more) == {group: min(100, size) for group, size in sizes.items()} and min(sizes.values()) < 100
    assert {prompt.id for prompt in few} < {prompt.id for prompt in more} < {prompt.id for prompt in every}
    assert [prompt for prompt in every if prompt.id in {chosen.id for chosen in few}] == few == metric(most_prompts=7).asked()
    firsts = [prompt for group in sizes for prompt in [one for one in every if one.group == group][:7]]
    assert len({prompt.id for prompt in few} & {prompt.id for prompt in firsts}) < len(few) / 3  # drawn, not the first


def test_two_models_are_asked_the_same_synthetic_prompts(tmp_path: Path) -> None:
    asked = metric(**SYNTHETIC, most_prompts=5).asked()
    occupations = {*OCCUPATIONS["female"], *OCCUPATIONS["male"]}
    assert Counter(prompt.group for prompt in asked) == dict.fromkeys(occupations, 5) and len(OPENINGS) == 5
    words = {word for prompt in asked for word in prompt.text.split()}
    assert all(prompt.group in prompt.text for prompt in asked) and not words & {"she", "he", "her", "his", "woman", "man"}
    found = []
    for seed in (3, 4):
        folder = tmp_path / str(seed)
        opened(folder, "gpt2", "lm", {"kind": "bytes", "max_tokens": 80}, seed)
        found.append(metric(**SYNTHETIC, most_prompts=1, samples=2, decoding={"max_new_tokens": 4}).measure(folder, {}, folder, 0, None))
    first, second = (measures.rows[0].conditions for measures in found)
    assert first == second and first["decoding"] == "top_p 0.9, 4 tokens, 2 of each prompt" and "prompts left out" not in first
    assert [len(measures.items["id"]) for measures in found] == [64, 64] and found[0].items["id"] == found[1].items["id"]


def test_a_classifier_writes_nothing_and_odd_fields_are_refused(tmp_path: Path) -> None:
    opened(tmp_path / "model", "bert", "mlm")
    (row,) = metric(**SYNTHETIC).measure(tmp_path / "model", {}, tmp_path, 0, None).rows
    assert (row.name, row.status) == (f"fairness/{PREFIX}/score", "unsupported")
    for fields in ({"threshold": 0}, {"held_out": 1}, {"samples": 0}, {"items": "own"}):
        with pytest.raises(ValidationError, match=next(iter(fields))):
            metric(**fields)
