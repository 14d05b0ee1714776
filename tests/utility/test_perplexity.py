"""Perplexity against sums by hand and a network asked one window at a time; distinct n-grams against a slow count of planted continuations."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from tasks.core.measures import Measures, Predictions, Row
from tasks.data.prepared import PreparedData
from tasks.models import generating
from tasks.models.decoding import Decoding
from tasks.models.generating import Continued
from tasks.models.predicting import write_predictions
from tasks.models.probing import Probe
from tasks.utility.metric import UTILITY, UtilityMetric
from tests.conftest import NewRun, Prepare
from tests.fairness.fakes import alone_causal, opened
from tests.utility.predictions import measured, row, table

DATA = {"kind": "synthetic-professions", "examples": 150}
Says = Callable[[str], str | None]


def metric(kind: str, **fields: Any) -> UtilityMetric:
    found = UTILITY.parse({"kind": kind, **fields})
    assert isinstance(found, UtilityMetric)
    return found


def holds_itself(row: Row) -> bool:
    """Whether the interval holds the value and is none of a single point."""
    assert row.low is not None and row.high is not None and row.value is not None
    return row.low <= row.value <= row.high and row.low < row.high


def test_perplexity_by_hand(tmp_path: Path) -> None:
    """10 nats over 4 tokens, 2 over 1, 3 over 5: e to the power 15 / 10, whatever the records."""
    nats, tokens = [10.0, 2.0, 3.0], [4, 1, 5]
    found = row("perplexity", pd.DataFrame({"id": list("abc"), "nats": nats, "tokens": tokens}), tmp_path, "lm", minimum_items=3)
    assert found.value == pytest.approx(math.exp(1.5)) and found.conditions["tokens"] == "10" and (found.n, found.lowest, found.highest) == (3, 1.0, None)
    by_record = math.exp(np.mean([nat / count for nat, count in zip(nats, tokens, strict=True)]))
    assert found.value != pytest.approx(by_record, rel=0.05)  # a mean over records would be seen


@pytest.mark.parametrize("seed", range(3))
def test_perplexity_is_that_of_a_loop_and_lies_in_its_interval(seed: int, tmp_path: Path) -> None:
    given = table(seed=seed)
    total = sum(float(value) for value in given["nats"]) / sum(int(value) for value in given["tokens"])
    measures = measured("perplexity", given, tmp_path, "lm")
    [found] = measures.rows
    assert found.name == "utility/perplexity" and found.value == pytest.approx(math.exp(total)) and found.direction == "lower"
    assert holds_itself(found) and (found.low or 0) > 1
    assert set(measures.items) == {"id", "cluster", "nats", "tokens"} and math.exp(sum(measures.items["nats"]) / sum(measures.items["tokens"])) == found.value


def test_what_perplexity_cannot_judge_is_said(tmp_path: Path) -> None:
    other = table()[["id", "label", "predicted", "loss"]]
    assert [row("perplexity", other, tmp_path / task, task).status for task in ("intent", "mlm")] == ["unsupported"] * 2
    few = row("perplexity", table(count=29), tmp_path / "few", "lm")
    assert (few.status, few.value, few.reason) == ("insufficient_evidence", None, "29 test records, 30 are needed")


def test_perplexity_reads_its_own_test_split_or_that_of_other_data(tmp_path: Path) -> None:
    assert metric("perplexity").needs({}) == (Predictions(split="test"),)
    other = metric("perplexity", data={"kind": "wikitext-2", "split": "test"}, label="wiki", minimum_items=5)
    (need,) = other.needs({})
    assert isinstance(need, Predictions) and (need.split, need.label) == ("test", "wikitext-2") and need.data is not None
    assert (need.data["kind"], need.data["split"], need.data["task"]) == ("wikitext-2", "test", "lm")
    folders = {}
    for name, nats in (("predictions/test", 7.0), ("predictions/wikitext-2/test", 3.0)):
        folders[name] = tmp_path / name
        folders[name].mkdir(parents=True)
        pd.DataFrame({"id": list("abcde"), "nats": [nats] * 5, "tokens": [2] * 5}).to_parquet(folders[name] / "predictions.parquet")
        (folders[name] / "predictions.json").write_text(json.dumps({"data": name, "task": "lm"}))
    [found] = other.measure(tmp_path, folders, tmp_path, 0, None).rows
    assert (found.name, found.conditions["data"]) == ("utility/wiki", "predictions/wikitext-2/test") and found.value == pytest.approx(math.exp(1.5))
    with pytest.raises(ValidationError, match="data"):
        metric("perplexity", data={"kind": "no-such-data"})


@pytest.fixture(scope="module")
def data(prepare: Prepare) -> PreparedData:
    return prepare(DATA)


def test_perplexity_of_a_model_is_that_of_its_network_asked_one_window_at_a_time(tmp_path: Path, prepare: Prepare, new_run: NewRun) -> None:
    """Bytes, an end mark each, in windows that begin with a mark; with longer windows there are as many tokens."""
    data, tokens = prepare({**DATA, "examples": 50}), []
    for longest in (60, 400):
        folder, run = tmp_path / str(longest), new_run()
        probe = opened(folder, "gpt2", "lm", {"kind": "bytes", "max_tokens": longest})
        write_predictions("test", folder, data.folder, run)
        [found] = metric("perplexity", minimum_items=5).measure(folder, {"predictions/test": run.folder}, data.folder, 0, None).rows
        logs = [log for text in data.split("test")["text"] for window in probe.encoder.windows(text) for log in alone_causal(probe, window)]
        assert found.value == pytest.approx(math.exp(-sum(logs) / len(logs)), rel=1e-4)
        assert found.conditions["tokens"] == str(len(logs)) and found.conditions["data"] == data.facts["split_digests"]["test"]
        tokens.append(len(logs))
    assert tokens[0] == tokens[1] == sum(len(text) + 1 for text in data.split("test")["text"])


@pytest.fixture
def model(tmp_path: Path) -> Probe:
    return opened(tmp_path / "model", "gpt2", "lm", {"kind": "bytes", "max_tokens": 120})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Says], list[tuple[Any, ...]]]:
    """Makes a writer that goes on as the test says; tells what it was asked."""

    def made(says: Says) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []

        def fake(network: Any, encoder: Any, prompts: Sequence[str], decoding: Decoding, samples: int, seed: int, device: str) -> list[Continued]:
            calls.append((list(prompts), decoding, samples, seed))
            texts = [says(prompt) for prompt in prompts]
            return [Continued(None if text is None else (text,)) for text in texts]

        monkeypatch.setattr(generating, "continuations", fake)
        return calls

    return made


def distinct(folder: Path, data: PreparedData, seed: int = 0, **fields: Any) -> tuple[Row, Measures]:
    measures = metric("distinct-n", **{"minimum_items": 5, **fields}).measure(folder, {}, data.folder, seed, None)
    [found] = measures.rows
    return found, measures


def slow_share(text: str, n: int) -> float | None:
    """Distinct n-grams over all, by looking for each among those before it."""
    words, seen, every = text.split(), [], 0
    for start in range(len(words)):
        if start + n <= len(words):
            every += 1
            if words[start : start + n] not in seen:
                seen.append(words[start : start + n])
    return len(seen) / every if every else None


def babble(prompt: str) -> str:
    """From none to eleven of three words."""
    draw = np.random.default_rng(sum(prompt.encode()))
    return "  ".join(draw.choice(["a", "b", "c"], size=draw.integers(0, 12)))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_distinct_n_is_a_mean_of_slow_counts(n: int, data: PreparedData, model: Probe, tmp_path: Path, asked: Any) -> None:
    calls = asked(babble)
    found, measures = distinct(tmp_path / "model", data, n=n)
    shares = [share for prompt in calls[0][0] if (share := slow_share(babble(prompt), n)) is not None]
    assert found.value == pytest.approx(np.mean(shares)) and found.n == len(shares) < len(calls[0][0]) and 0 < np.mean(shares) < 1
    assert found.name == "utility/distinct_n" and found.direction == "higher" and (found.lowest, found.highest) == (0.0, 1.0)
    assert holds_itself(found)
    assert measures.items["distinct"] == pytest.approx(shares) and set(measures.items) == {"id", "cluster", "distinct"}
    assert set(measures.items["id"]) <= set(data.split("test")["id"])


def test_repeated_text_is_low_and_varied_text_high(data: PreparedData, model: Probe, tmp_path: Path, asked: Any) -> None:
    values = []
    for text in ("no " * 30, "on and on " * 10, " ".join(map(str, range(30)))):
        asked(lambda prompt, text=text: text)
        values.append(distinct(tmp_path / "model", data)[0].value)
    assert values == pytest.approx([1 / 29, 3 / 29, 1.0])


def test_distinct_n_asks_the_same_beginnings_of_every_model(data: PreparedData, model: Probe, tmp_path: Path, asked: Any) -> None:
    opened(tmp_path / "other", "gpt2", "lm", {"kind": "bytes", "max_tokens": 120}, seed=9)
    calls = asked(babble)
    for folder, seed, fields in (("model", 0, {}), ("other", 1, {}), ("model", 0, {"texts": 12, "words": 3, "decoding": {"greedy": True}})):
        distinct(tmp_path / folder, data, seed, **fields)
    (first, how, samples, seed), (second, _, _, other), (few, greedy, _, again) = calls
    records = data.split("test")["text"]
    assert first == second == [" ".join(text.split()[:5]) for text in records] and (samples, how) == (1, Decoding()) and greedy.greedy
    assert seed == again != other
    assert len(few) == 12 and all(len(prompt.split()) == 3 for prompt in few)
    places = [[text for text in records if text.startswith(prompt + " ")] for prompt in few]
    assert all(places) and few != [" ".join(text.split()[:3]) for text in records[:12]]  # drawn, not the first


def test_conditions_of_distinct_n_tell_data_and_protocol(data: PreparedData, model: Probe, tmp_path: Path, asked: Any) -> None:
    asked(babble)
    plain, other, named = (distinct(tmp_path / "model", data, **fields)[0] for fields in ({}, {"decoding": {"top_p": 0.5}}, {"label": "own"}))
    assert plain.conditions["data"] == data.facts["split_digests"]["test"] and plain.conditions["protocol"] != other.conditions["protocol"]
    assert named.name == "utility/own" and named.conditions == plain.conditions


def test_what_distinct_n_cannot_judge_is_said(data: PreparedData, model: Probe, tmp_path: Path, asked: Any) -> None:
    """Prompts without room for a continuation, and continuations of fewer words than an n-gram, are no evidence."""
    asked(lambda prompt: None)
    nothing = distinct(tmp_path / "model", data)[0]
    asked(lambda prompt: "one")
    short = distinct(tmp_path / "model", data)[0]
    assert {(found.status, found.value, found.n) for found in (nothing, short)} == {("insufficient_evidence", None, 0)}
    opened(tmp_path / "masked", "bert", "mlm")
    masked = distinct(tmp_path / "masked", data)[0]
    assert (masked.status, masked.reason) == ("unsupported", "distinct-n does not judge task 'mlm'") and metric("distinct-n").needs({}) == ()


def test_distinct_n_goes_on_with_the_model_itself(data: PreparedData, model: Probe, tmp_path: Path) -> None:
    how: dict[str, Any] = {"greedy": True, "max_new_tokens": 20}
    found, measures = distinct(tmp_path / "model", data, n=1, texts=8, words=4, decoding=how, minimum_items=1)
    texts_of = dict(zip(data.split("test")["id"], data.split("test")["text"], strict=True))
    prompts = [" ".join(texts_of[one].split()[:4]) for one in measures.items["id"]]
    written = generating.continuations(model.network, model.encoder, prompts, Decoding(**how), 1, 5, "cpu")
    assert measures.items["distinct"] == [slow_share(one.texts[0], 1) for one in written if one.texts] and found.n == len(prompts) > 3
