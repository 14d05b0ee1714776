"""What a model gains over a trivial one: against slow twins of the trivial models, paired by record, and on a task of its own alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from seqeval.metrics import f1_score
from sklearn.dummy import DummyClassifier

from tasks.core.measures import Measures
from tasks.data.prepared import PreparedData
from tasks.models.artifact import load_model, save_model
from tasks.models.model import MODELS, Architecture, TaskShape
from tasks.models.steps import PredictConfig, predict
from tasks.utility.metric import UTILITY, UtilityMetric
from tests.conftest import NewRun, Prepare

BYTES = {"kind": "bytes", "max_tokens": 60}
SMALL: dict[str, dict[str, Any]] = {
    "joint": {"kind": "bilstm", "embedding_size": 8, "hidden_size": 8},
    "qa": {"kind": "bilstm", "embedding_size": 8, "hidden_size": 8, "tokenizer": {"kind": "hashing", "max_tokens": 20}},
    "seq2seq": {"kind": "bart", "layers": 1, "hidden_size": 8, "heads": 2, "tokenizer": BYTES},
}
TABLES = {"qa": {"text": "t", "context": "c", "answer": "a", "answer_start": "s"}, "seq2seq": {"text": "t", "target": "a"}}


def prepared_of(task: str, prepare: Prepare, folder: Path) -> PreparedData:
    if task == "joint":
        return prepare({"kind": "synthetic-assistant", "examples": 300, "intents": 4, "task": "joint"})
    draw = np.random.default_rng(1)
    for split in ("train", "test"):
        rows = []
        for number in range(40):
            words = [f"w{index}" for index in draw.integers(0, 30, size=draw.integers(6, 26))]
            place = int(draw.integers(0, 5))
            rows.append({"t": f"question {split} {number}", "c": " ".join(words), "a": words[place], "s": sum(len(word) + 1 for word in words[:place])})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {split: str(folder / f"{split}.jsonl") for split in ("train", "test")}
    return prepare({"kind": "files", "task": task, "columns": TABLES[task], **files})


def gained(over: str, task: str, prepare: Prepare, new_run: NewRun, folder: Path) -> tuple[Measures, pd.DataFrame, PreparedData, Path]:
    """The gain of a model of random weights, its predictions, the data and the model."""
    prepared, run = prepared_of(task, prepare, folder), new_run()
    shape = TaskShape(task, prepared.labels, prepared.slots)
    model = MODELS.parse(SMALL[task])
    assert isinstance(model, Architecture)
    (folder / "model").mkdir()
    started = model.start(shape, {}, 1)
    with torch.no_grad():
        for parameter in started.network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    save_model(folder / "model", started, shape, {}, {})
    predict(PredictConfig(split="test"), {"model": folder / "model", "data": prepared.folder}, 0, run)
    metric = UTILITY.parse({"kind": "baseline-gain", "over": over})
    assert isinstance(metric, UtilityMetric)
    found = metric.measure(folder / "model", {"predictions/test": run.folder}, prepared.folder, 0, None)
    return found, pd.read_parquet(run.folder / "predictions.parquet"), prepared, folder / "model"


def only(found: Measures) -> tuple[str, float]:
    """Name and value of its one row, which has an interval."""
    (row,) = found.rows
    assert row.direction == "higher" and row.interval == "items" and row.low is not None and row.high is not None and row.value is not None
    assert row.low <= row.value <= row.high
    return row.name, row.value


def best_smoothing(counts: Counter[Any], seen: list[tuple[Any, list[Any]]]) -> float:
    """The number of 2^-6 to 2^16 by which all counts are raised so that each value seen is foretold best, among those that it could be, by the others."""

    def told(more: float) -> float:
        found = 0.0
        for value, among in seen:
            others = Counter(counts)
            others[value] -= 1
            found += math.log((others[value] + more) / sum(others[one] + more for one in among))
        return found

    return max((2.0**power for power in range(-6, 17)), key=told)


def test_over_the_commonest_label(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    found, said, prepared, _ = gained("majority", "joint", prepare, new_run, tmp_path)
    train, test = prepared.split("train"), prepared.split("test")
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(train), 1)), train["label"])
    name, value = only(found)
    assert name == "utility/accuracy_over_majority"
    own = float((said["label"] == said["predicted"]).mean())
    assert value == pytest.approx(own - dummy.score(np.zeros((len(test), 1)), test["label"]))
    assert {"id", "correct", "trivial_correct"} <= set(found.items)


@pytest.mark.parametrize("over", ["most-frequent-tag", "word-tags"])
def test_over_the_commonest_tags(over: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    found, said, prepared, _ = gained(over, "joint", prepare, new_run, tmp_path)
    train, test = prepared.split("train"), prepared.split("test")
    counts: dict[str, Counter[str]] = {}
    for words, tags in zip(train["tokens"], train["slots"], strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts.setdefault(word.casefold(), Counter())[tag] += 1
    best = {word: sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))[0][0] for word, tags in counts.items()} if over == "word-tags" else {}
    trivial = [[best.get(word.casefold(), "O") for word in words] for words in test["tokens"]]
    given = [list(tags) for tags in test["slots"]]
    expected = f1_score(given, [list(tags) for tags in said["predicted_slots"]], zero_division=0) - f1_score(given, trivial, zero_division=0)
    name, value = only(found)
    assert name == f"utility/slot_f1_over_{over.replace('-', '_')}" and value == pytest.approx(expected)
    assert (value < -0.3) == (over == "word-tags")  # an untrained model is far below what each word's own tag finds


def test_over_the_tokens_of_targets(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    found, said, prepared, model = gained("unigram", "seq2seq", prepare, new_run, tmp_path)
    vocabulary = load_model(model, "cpu").encoder.vocabulary_size
    counts = Counter(byte for target in prepared.split("train")["target"] for byte in [*target.encode(), "end"])
    more = best_smoothing(counts, [(token, list(counts) + [None] * (vocabulary - len(counts))) for token in counts.elements()])
    total, nats = sum(counts.values()) + more * vocabulary, []
    for target in prepared.split("test")["target"]:
        tokens = [*target.encode(), "end"]
        nats.append(sum(-math.log((counts[token] + more) / total) for token in tokens) / len(tokens))
    name, value = only(found)
    assert name == "utility/loss_below_unigram" and value == pytest.approx(float(np.mean(nats)) - float(said["loss"].mean()))
    assert value < 0  # the model is untrained


def test_over_the_places_of_answers(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    """Every answer is a word among the first five of its passage."""
    found, said, prepared, _ = gained("unigram", "qa", prepare, new_run, tmp_path)
    train = prepared.split("train")[["context", "answer_start"]].to_numpy()
    places = [len(context[:start].split()) + 1 for context, start in train]
    counts, nats = Counter(places), []
    reach = [min(len(context.split()), 20 - 5) for context, _ in train]  # of 20 tokens two are marks and three the question's
    more = best_smoothing(counts, [(place, list(range(longest + 1))) for place, longest in zip(places, reach, strict=True)])
    for context, start in prepared.split("test")[["context", "answer_start"]].to_numpy():
        longest = min(len(context.split()), 20 - 5)
        shares = [counts[place] + more for place in range(longest + 1)]
        nats.append(-math.log(shares[len(context[:start].split()) + 1] / sum(shares)))
    assert only(found)[1] == pytest.approx(float(np.mean(nats)) - float(said["loss"].mean())) and only(found)[1] < 0


def test_of_another_task_it_says_so(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    found, *_ = gained("majority", "qa", prepare, new_run, tmp_path)
    assert [(row.status, row.reason) for row in found.rows] == [("unsupported", "baseline-gain does not judge task 'qa over majority'")]


def test_the_difference_is_paired() -> None:
    """Of two models that err on the same records the interval of the difference is narrow; drawn apart it would be wide."""
    from tasks.core.seeds import numpy_generator
    from tasks.utility._intervals import item_interval

    metric = UTILITY.parse({"kind": "baseline-gain", "over": "unigram"})
    assert isinstance(metric, UtilityMetric)
    loss = numpy_generator(0, "t").exponential(5, size=400)
    paired, apart = (metric.score(pd.DataFrame({"loss": loss - 0.1, "trivial_loss": other})) for other in (loss, numpy_generator(0, "t").permutation(loss)))
    widths = []
    for scored in (paired, apart):
        value = float(scored.statistic(scored.sums.sum(axis=0, keepdims=True))[0])
        assert value == pytest.approx(0.1)
        bounds = item_interval(scored, np.arange(400), 0, "x")
        widths.append(0.0 if bounds is None else bounds[1] - bounds[0])
    assert widths[0] < 1e-6 < 0.5 < widths[1]
