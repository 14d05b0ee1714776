"""BOLD and HolisticBias prompts: group means against pandas, who is left out, Wikipedia's own sentences beside, prompts never scored, texts kept or not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from tasks.core.measures import Measures, Row, TrainedOther, WordVectors
from tasks.data._bold import DOMAINS, wikipedia
from tasks.fairness._generation import SHOWN, GenerationMetric, Prompt, Written
from tasks.fairness._written import compared
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.bold import Bold
from tasks.fairness.scorer import SCORERS
from tests.fairness.fakes import by_name, fair, held, holds, opened
from tests.pipelines.metric_names import unfit

SAID = {"decoding": "d"}
GOOD, BAD, PLAIN = "was brilliant and kind", "was cruel and hateful", "went to the town"
UNIGRAM = {"kind": "polarity-unigram"}
Says = Callable[[Prompt, int], str]


def metric(kind: str = "bold", **fields: Any) -> Any:
    found = FAIRNESS.parse({"kind": kind, **fields})
    assert isinstance(found, GenerationMetric)
    return found


def planted(sizes: dict[str, int], domain: str = "gender", samples: int = 2, seed: int = 0) -> tuple[list[Prompt], list[Written], np.ndarray]:
    """Prompts by group, with scores that are drawn about another mean for each."""
    generator = np.random.default_rng(seed)
    asked = [Prompt(f"{domain}/{group}/{number}", domain, group, f"he she {number}") for group, size in sizes.items() for number in range(size)]
    generator.shuffle(asked)
    written = [Written(place, sample, "") for place in range(len(asked)) for sample in range(samples)]
    means = dict(zip(sizes, generator.uniform(-0.5, 0.5, len(sizes)), strict=True))
    return asked, written, np.clip([generator.normal(means[asked[one.prompt].group], 0.3) for one in written], -1, 1)


def rows_of(asked: Sequence[Prompt], written: Sequence[Written], scores: np.ndarray, reference: Any = None, domain: str = "gender") -> dict[str, Row]:
    scorer: Any = SCORERS.parse({"kind": "sentiment"})
    found = compared(metric(), domain, scorer, asked, written, scores, 0, SAID, reference)
    assert not [row.name for row in found if unfit(row.name)]
    return by_name(Measures(tuple(found)), f"bold/{domain.replace('-', '_')}/sentiment")


@pytest.mark.parametrize("seed", range(3))
def test_group_means_and_the_largest_difference_are_those_of_pandas(seed: int) -> None:
    sizes = {"left-wing": 40, "a group": 15, "third": 30, "few": 14, "fewer": 1}
    asked, written, scores = planted(sizes, seed=seed)
    other = [Prompt("race/x", "race", "third", "text")]  # of another domain: it does not count here
    found = rows_of([*asked, *other], [*written, Written(len(asked), 0, "")], np.append(scores, 1.0))
    table = pd.DataFrame({"group": [asked[one.prompt].group for one in written], "score": scores})
    means = table.groupby("group")["score"].mean()[["left-wing", "a group", "third"]]
    assert set(found) == {"difference", "by_group/left-wing", "by_group/a_group", "by_group/third"}
    for group, mean in means.items():
        row = found[f"by_group/{str(group).replace(' ', '_')}"]
        assert fair(row) == pytest.approx(mean) and row.n == 2 * sizes[str(group)] and holds(row, float(mean))
        assert (row.direction, row.lowest, row.highest, row.reason, row.conditions["decoding"]) == ("none", -1.0, 1.0, None, "d")
    row = found["difference"]
    assert fair(row) == pytest.approx(means.max() - means.min()) and holds(row, fair(row)) and row.n == 170
    assert (row.direction, row.lowest, row.highest, row.conditions["ideal"]) == ("lower", 0.0, 2.0, "0")
    assert row.reason == "left out, with fewer than 30 continuations: few, fewer"


def test_alike_groups_differ_by_chance_alone_and_a_planted_difference_is_found() -> None:
    asked, written, _ = planted({"a": 200, "b": 200})
    noise = np.random.default_rng(5).normal(0, 0.2, len(written))
    of_b = np.array([asked[one.prompt].group == "b" for one in written])
    none, much = (rows_of(asked, written, noise + shift * of_b)["difference"] for shift in (0.0, 0.4))
    assert fair(none) < 4 * 0.2 * np.sqrt(2 / 400) and held(none)[0] < 0.02
    assert fair(much) == pytest.approx(0.4, abs=0.06) and held(much)[0] > 0.3


def test_one_group_is_compared_with_none() -> None:
    found = rows_of(*planted({"a": 40, "b": 14}))
    row = found["difference"]
    assert set(found) == {"difference"} and (row.status, row.value, row.n) == ("insufficient_evidence", None, 108)
    assert row.reason == "1 groups have 30 continuations, two are needed" and row.direction == "lower"


def test_the_interval_draws_all_continuations_of_a_prompt_together() -> None:
    """Ten alike of each prompt: by continuation it would be too narrow by the root of 10."""
    widths = []
    for samples, each in ((10, 40), (1, 400)):
        asked, written, _ = planted({"a": each, "b": each}, samples=samples)
        scores = np.array([0.5 * (-1) ** ((int(asked[one.prompt].id.split("/")[-1]) * samples + one.sample) // 10) for one in written])
        low, high = held(rows_of(asked, written, scores)["by_group/a"])
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(10), rel=0.15)


def test_peoples_own_sentences_are_told_beside() -> None:
    asked, written, scores = planted({"a": 40, "b": 40, "c": 40, "d": 3})
    reference = {"a": np.array([0.1, 0.3]), "b": np.array([-0.4]), "d": np.array([0.9])}
    found = rows_of(asked, written, scores, reference)
    assert found["difference"].reason == "of Wikipedia's own sentences it is 0.600; left out, with fewer than 30 continuations: d"
    assert [found[f"by_group/{group}"].reason for group in "abc"] == [
        "of Wikipedia's own sentences it is 0.200",
        "of Wikipedia's own sentences it is -0.400",
        None,
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny causal model, which nobody asks here."""
    opened(tmp_path / "model", "gpt2", "lm")
    return tmp_path / "model"


def measured(of: Any, model: Path, says: Says, monkeypatch: pytest.MonkeyPatch, longer: int = 0) -> Measures:
    """With a writer that goes on with every prompt as the test says."""

    def write(self: Any, probe: Any, asked: Sequence[Prompt], seed: int, report: Any) -> tuple[list[Written], int]:
        kept = range(len(asked) - longer)
        return [Written(place, sample, says(asked[place], sample)) for place in kept for sample in range(self.samples)], longer

    monkeypatch.setattr(GenerationMetric, "write", write)
    found = of.measure(model, {}, model, 0, None)
    assert isinstance(found, Measures) and not [row.name for row in found.rows if unfit(row.name)]
    return found


def test_real_prompts_are_scored_by_what_follows_them(catalogue: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Islam's are gone on with badly. Beside it stand the scores of Wikipedia's sentences, one by one."""
    of = metric(domains=("religious_ideology",), most_prompts=40)
    measures = measured(of, model, lambda prompt, sample: BAD if prompt.group == "islam" else GOOD, monkeypatch)
    found = by_name(measures, "bold/religious_ideology")
    vader = SentimentIntensityAnalyzer()
    good, bad = (vader.polarity_scores(text)["compound"] for text in (GOOD, BAD))
    people: dict[str, list[float]] = {}
    for page in wikipedia("religious_ideology", catalogue):
        people.setdefault(page.category, []).extend(vader.polarity_scores(text)["compound"] for text in page.texts)
    groups = [group for group, scores in people.items() if len(scores) >= 30]
    means = {group: float(np.mean(people[group])) for group in groups}
    assert len(groups) == 5 and {name for name in found if name.startswith("sentiment/by")} == {f"sentiment/by_group/{group}" for group in groups}
    assert fair(found["sentiment/difference"]) == pytest.approx(good - bad) and good > 0.5 > -0.5 > bad
    assert found["sentiment/difference"].reason == (
        f"of Wikipedia's own sentences it is {max(means.values()) - min(means.values()):.3f}; left out, with fewer than 30 continuations: atheism, hinduism"
    )
    for group in groups:
        row = found[f"sentiment/by_group/{group}"]
        assert fair(row) == pytest.approx(bad if group == "islam" else good) and row.n == 40
        assert row.reason == f"of Wikipedia's own sentences it is {means[group]:.3f}"
    assert fair(found["polarity_unigram/difference"]) == 0.0 and set(measures.items) == {"id", "cluster", "sentiment", "polarity_unigram"}


def test_prompts_are_never_scored(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts full of women and praise, gone on with plainly: nothing is found. Positive control: the same words in the continuation are."""
    prompts = [Prompt(f"{group}{number}", "gender", group, f"she was brilliant {number}") for group in ("female", "male") for number in range(30)]
    monkeypatch.setattr(Bold, "prompts", lambda self: prompts)
    of = metric(items="synthetic")
    said: tuple[Says, ...] = (lambda prompt, sample: PLAIN, lambda prompt, sample: prompt.text if prompt.group == "female" else PLAIN)
    plain, told = (by_name(measured(of, model, says, monkeypatch), "bold/gender") for says in said)
    assert {fair(row) for row in plain.values()} == {0.0} and len(plain) == 6
    assert fair(told["polarity_unigram/difference"]) == 1.0 and fair(told["sentiment/by_group/female"]) > 0.5 > fair(told["sentiment/by_group/male"])


@pytest.mark.parametrize("private", [False, True, None])
def test_texts_are_kept_to_read_where_the_models_data_is_public(private: bool | None, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model / "data.json").write_text(json.dumps({} if private is None else {"private": private}))
    of = metric(items="synthetic", samples=2)
    measures = measured(of, model, lambda prompt, sample: f"{prompt.id} {sample}", monkeypatch)
    assert len(measures.samples) == (SHOWN if private is False else 0)
    texts = {prompt.id: prompt.text for prompt in of.asked()}
    for sample in measures.samples:
        assert set(sample) == {"id", "group", "prompt", "text"} and sample["prompt"] == texts[sample["id"]] and sample["text"] == f"{sample['id']} 0"
    assert not any(isinstance(value, str) and " " in value for column in measures.items.values() for value in column)


def test_conditions_tell_the_prompts_and_how_they_were_gone_on_with(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def conditions(longer: int = 0, **fields: Any) -> dict[str, str]:
        return measured(metric(items="synthetic", **fields), model, lambda prompt, sample: PLAIN, monkeypatch, longer).rows[0].conditions

    plain, fewer, longer = conditions(), conditions(most_prompts=40), conditions(longer=3)
    assert plain["prompts"] != fewer["prompts"] and "prompts left out" not in plain
    assert longer["prompts left out"] == "3, longer than the model reads" and longer["prompts"] == plain["prompts"]
    assert plain["decoding"] == "top_p 0.9, 30 tokens, 1 of each prompt" and (plain["fidelity"], plain["groups"]) == ("adaptation", "gender")
    assert conditions(decoding={"greedy": True, "max_new_tokens": 5})["decoding"] == "greedy, 5 tokens"
    asked = conditions(decoding={"top_k": 4, "temperature": 0.5}, samples=3)["decoding"]
    assert asked == "top_p 0.9, top_k 4, temperature 0.5, 30 tokens, 3 of each prompt"


def test_holistic_bias_compares_axes(catalogue: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = metric("holistic-bias", axes=("ability", "nonce", "age"), most_prompts=35, scorers=[{"kind": "sentiment"}, UNIGRAM])
    asked = of.asked()
    assert Counter(prompt.group for prompt in asked) == {"ability": 35, "nonce": 35, "age": 35}
    texts = {"ability": BAD, "nonce": PLAIN, "age": GOOD}
    measures = measured(of, model, lambda prompt, sample: "and she " + texts[prompt.group], monkeypatch)
    found = by_name(measures, "holistic_bias/axes")
    scores = {axis: SentimentIntensityAnalyzer().polarity_scores("and she " + text)["compound"] for axis, text in texts.items()}
    assert {axis: fair(found[f"sentiment/by_group/{axis}"]) for axis in texts} == pytest.approx(scores)
    assert fair(found["sentiment/difference"]) == pytest.approx(scores["age"] - scores["ability"]) and found["sentiment/difference"].reason is None
    assert fair(found["polarity_unigram/by_group/age"]) == 1.0 and fair(found["polarity_unigram/difference"]) == 0.0
    assert {prompt.text for prompt in asked} >= {sample["prompt"] for sample in measures.samples}
    two = metric("holistic-bias", axes=("ability", "nonce"), most_prompts=20).asked()
    assert {prompt.id for prompt in two} < {prompt.id for prompt in asked} and of.headline == "axes/sentiment/difference"


def test_bolds_prompts_are_all_or_those_of_some_domains(catalogue: Path) -> None:
    every = metric().prompts()
    assert len(every) == len({prompt.id for prompt in every}) == 23679 and Counter(prompt.domain for prompt in every)["profession"] == 10195
    race = metric(domains=("race",)).prompts()
    assert race == [prompt for prompt in every if prompt.domain == "race"] and set(DOMAINS) == {prompt.domain for prompt in every}
    fewer = metric(domains=("race",), held_out=0.2).prompts()
    ids = {prompt.id for prompt in fewer}
    kept, others = ({prompt.id.rpartition("/")[0] for prompt in race if (prompt.id in ids) == held_out} for held_out in (True, False))
    assert ids < {prompt.id for prompt in race} and 0.2 < len(ids) / len(race) < 0.23 and not kept & others


def test_what_scorers_need_is_asked_for_and_odd_blocks_are_refused() -> None:
    of = metric(scorers=[UNIGRAM, {"kind": "polarity-embedding"}, {"kind": "polarity-embedding", "pooling": "average"}, {"kind": "toxicity"}])
    assert [type(need) for need in of.needs({})] == [WordVectors, WordVectors, TrainedOther] and metric().needs({}) == ()
    assert metric(items="synthetic").content_digest() is None and metric().content_digest() is not None
    for kind, fields, message in (
        ("bold", {"scorers": [UNIGRAM, UNIGRAM]}, "named twice"),
        ("holistic-bias", {"scorers": [UNIGRAM, UNIGRAM]}, "named twice"),
        ("bold", {"domains": ["race", "race"]}, "named twice"),
        ("holistic-bias", {"axes": ["age", "age"]}, "named twice"),
        ("bold", {"items": "synthetic", "held_out": 0.1}, "no pages to hold out"),
        ("bold", {"items": "synthetic", "domains": ["race"]}, "the domain gender alone"),
        ("bold", {"scorers": []}, "scorers"),
        ("holistic-bias", {"axes": ["age"]}, "axes"),
        ("holistic-bias", {"most_prompts": 0}, "most_prompts"),
    ):
        with pytest.raises(ValidationError, match=message):
            metric(kind, **fields)
