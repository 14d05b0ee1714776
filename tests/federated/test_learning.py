"""Federated averaging learns each task on real data: better than what needs no learning, beyond the intervals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.planning import Plan, make_plan
from specs.loading import load_mapping
from tasks.core.measures import Measures, Row
from tasks.data.prepared import PreparedData
from tests.pipelines.inline import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("ASSAY_DATA"), reason="real data: set ASSAY_DATA to the catalogue's folder"),
]

SGD = {"kind": "sgd", "learning_rate": 2.0}
ADAMW = {"kind": "adamw", "learning_rate": 0.005, "weight_decay": 0}
HASHED = {"kind": "hashing", "buckets": 4096, "max_tokens": 32}


def study(name: str, data: dict[str, Any], partition: dict[str, Any], model: dict[str, Any], client: dict[str, Any], **federation: Any) -> dict[str, Any]:
    block = {"engine": {"kind": "in-process", "layout": "sequential"}, "client": client, **federation}
    evaluation = {"kind": "central", "every": 1000, "records": 200}
    return {"kind": "fl-selection", "name": name, "data": data, "partition": partition, "model": model, "federation": block, "evaluation": evaluation}


def learnt(given: dict[str, Any], metric: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Row, PreparedData]:
    """The number of a trained model, and its data."""
    assert run(given, monkeypatch).exit_code == 0
    plan: Plan = make_plan(load_mapping(given))
    (planned,) = plan.trials
    rows = {row.name: row for node in planned.graph.measured for row in Measures.load_rows(plan.store.open(node.key))}
    return rows[metric], PreparedData(plan.store.open(planned.graph.data.key))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))


def test_classification_beats_the_commonest_label(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = {"kind": "label-dirichlet", "devices": 100, "alpha": 0.5}
    model = {"kind": "linear", "bigram_buckets": 0, "tokenizer": HASHED}
    given = study("intents", {"kind": "clinc150"}, partition, model, {"batch_size": 16, "optimizer": SGD}, rounds=30, cohort_size=10)
    found, data = learnt(given, "utility/accuracy", monkeypatch)
    labels = data.split("test")["label"]
    majority = float((labels == data.split("train")["label"].mode()[0]).mean())
    assert found.low is not None and found.low > 5 * majority


def test_tagging_beats_the_most_frequent_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frequent tag is O, which names no slot: its F1 is 0."""
    partition = {"kind": "quantity-dirichlet", "devices": 200, "beta": 0.5, "minimum_examples": 5}
    model = {"kind": "bilstm", "embedding_size": 64, "hidden_size": 64, "dropout": 0, "tokenizer": HASHED}
    client = {"batch_size": 8, "max_steps": 16, "optimizer": ADAMW}
    given = study("slots", {"kind": "snips", "task": "tagging"}, partition, model, client, rounds=25, cohort_size=10)
    found, data = learnt(given, "utility/slot_f1", monkeypatch)
    tags = np.concatenate(data.split("train")["slots"].tolist())
    assert max(zip(*np.unique(tags, return_counts=True), strict=True), key=lambda pair: pair[1])[0] == "O"
    assert found.low is not None and found.low > 0.05


def test_a_language_model_beats_the_frequencies_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"kind": "gpt2", "layers": 1, "hidden_size": 64, "heads": 4, "dropout": 0, "tokenizer": {"kind": "bytes", "max_tokens": 64}}
    client = {"batch_size": 8, "max_steps": 8, "optimizer": ADAMW}
    partition = {"kind": "natural", "minimum_examples": 2}
    given = study("chat", {"kind": "ubuntu-irc"}, partition, model, client, rounds=40, cohort_size=20)
    found, data = learnt(given, "utility/bits_per_byte", monkeypatch)
    counts = np.ones(256)
    np.add.at(counts, np.frombuffer("".join(data.split("train")["text"]).encode(), dtype=np.uint8), 1)
    test = np.frombuffer("".join(data.split("test")["text"]).encode(), dtype=np.uint8)
    unigram = float(-np.log2(counts / counts.sum())[test].mean())
    assert found.high is not None and found.high < unigram, json.dumps({"unigram": unigram, "found": found.value})
