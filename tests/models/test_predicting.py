"""Predictions of a split equal those of a twin that asks about one record at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tasks.data.prepared import PreparedData
from tasks.models.artifact import LoadedModel, load_model, save_model
from tasks.models.model import MODELS, TaskShape
from tasks.models.steps import PredictConfig, predict
from tests.conftest import NewRun, Prepare

DATA = {"kind": "synthetic-assistant", "examples": 150, "intents": 4, "seed": 2}
MODELS_OF: dict[str, dict[str, Any]] = {
    "intent": {"kind": "linear", "bigram_buckets": 64},
    "joint": {"kind": "bilstm", "hidden_size": 8, "embedding_size": 8, "tokenizer": {"kind": "hashing", "max_tokens": 6}},
    "tagging": {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "tokenizer": {"kind": "bytes", "max_tokens": 64}},
    "lm": {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "tokenizer": {"kind": "bytes", "max_tokens": 16}},
}


def saved(task: str, data: PreparedData, folder: Path) -> Path:
    """An untrained model with weights that are not zero, as an artifact."""
    shape = TaskShape(data.task, data.labels, data.slots)
    started = MODELS.parse(MODELS_OF[task]).start(shape, {}, 3)  # type: ignore[attr-defined]
    torch.manual_seed(4)
    with torch.no_grad():
        for value in started.network.parameters():
            value.add_(0.3 * torch.randn(value.shape))
    folder.mkdir()
    save_model(folder, started, shape, {}, {})
    return folder


def ask(loaded: LoadedModel, ids: list[int]) -> dict[str, torch.Tensor]:
    """Logits of one sequence, without padding and without company."""
    given = torch.tensor([ids])
    with torch.no_grad():
        logits = loaded.network(input_ids=given, attention_mask=torch.ones_like(given, dtype=torch.bool), position_ids=torch.arange(len(ids)).unsqueeze(0))
    return {name: value[0].double() for name, value in logits.items()}


def surprise(logits: torch.Tensor, answer: int) -> float:
    """-log p of an answer."""
    values = logits.numpy()
    return float(np.logaddexp.reduce(values) - values[answer])


def twin(loaded: LoadedModel, record: pd.Series[Any]) -> dict[str, Any]:
    """What should stand in a record's row."""
    shape, found = loaded.shape, {"loss": 0.0}
    if shape.task == "lm":
        windows = loaded.encoder.windows(record["text"])
        told = [surprise(row, after) for ids in windows for row, after in zip(ask(loaded, ids)["lm"][:-1], ids[1:], strict=True)]
        return {"nats": sum(told), "tokens": len(told), "bytes": len(record["text"].encode()), "loss": sum(told) / len(told)}
    ids, words = loaded.encoder.encode_words([record["tokens"]])[0] if shape.slots else (loaded.encoder.encode([record["text"]])[0], [])
    logits = ask(loaded, ids)
    answers: dict[str, Any] = dict(found)
    if shape.labels:
        answers["loss"] += surprise(logits["intent"], shape.labels.index(record["label"]))
        best = int(logits["intent"].argmax())
        answers |= {"predicted": shape.labels[best], "confidence": math.exp(-surprise(logits["intent"], best))}
    if shape.slots:
        places = [(place, word) for place, word in enumerate(words) if word >= 0]
        losses = [surprise(logits["slots"][place], shape.slots.index(record["slots"][word])) for place, word in places]
        answers["loss"] += sum(losses) / len(losses)
        tags = ["O"] * len(record["tokens"])
        for place, word in places:
            tags[word] = shape.slots[int(logits["slots"][place].argmax())]
        answers["predicted_slots"] = tags
    return answers


@pytest.mark.parametrize("task", sorted(MODELS_OF))
@pytest.mark.parametrize("size", [None, 7])
def test_predictions_equal_a_twin_that_asks_one_by_one(task: str, size: int | None, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data, run = prepare({**DATA, "task": task}), new_run(size)
    model = saved(task, data, tmp_path / "model")
    predict(PredictConfig(split="test"), {"model": model, "data": data.folder}, 0, run)
    table, records, loaded = pd.read_parquet(run.folder / "predictions.parquet"), data.split("test"), load_model(model, "cpu")
    assert list(table["id"]) == list(records["id"]) and list(table["user"]) == list(records["user"]) and list(table["group"]) == list(records["group"])
    lengths = records["text"].map(len).tolist()
    assert lengths != sorted(lengths)  # so that answers put back in a wrong order would be seen
    for place in range(len(records)):
        for name, value in twin(loaded, records.iloc[place]).items():
            got = table[name].iloc[place]
            assert (list(got) if name == "predicted_slots" else got) == (pytest.approx(value, abs=2e-5) if isinstance(value, float) else value), name
    assert "text" not in table  # ids, labels and numbers only


def test_a_word_that_was_cut_off_counts_as_o(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data, run = prepare({**DATA, "task": "joint"}), new_run()
    model = saved("joint", data, tmp_path / "model")
    predict(PredictConfig(), {"model": model, "data": data.folder}, 0, run)
    tags = pd.read_parquet(run.folder / "predictions.parquet")["predicted_slots"]
    assert tags.map(len).tolist() == data.split("test")["tokens"].map(len).tolist()
    assert any(len(found) > 6 for found in tags) and all(tag == "O" for found in tags for tag in found[6:])
    assert any(tag != "O" for found in tags for tag in found)


def test_logits_and_facts_stand_beside_the_table(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data, run = prepare({**DATA, "task": "intent"}), new_run()
    model = saved("intent", data, tmp_path / "model")
    predict(PredictConfig(), {"model": model, "data": data.folder}, 0, run)
    logits, table = load_file(run.folder / "logits.safetensors")["intent"], pd.read_parquet(run.folder / "predictions.parquet")
    assert [data.labels[index] for index in logits.argmax(dim=1).tolist()] == list(table["predicted"])
    facts = json.loads((run.folder / "predictions.json").read_text())
    assert facts == {"split": "test", "n": len(table), "data": data.facts["split_digests"]["test"], "task": "intent"}


def test_a_split_that_is_not_there_is_named(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data = prepare({**DATA, "task": "intent"})
    with pytest.raises(KeyError, match="no split 'nonmembers'; there is train, test"):
        predict(PredictConfig(split="nonmembers"), {"model": saved("intent", data, tmp_path / "m"), "data": data.folder}, 0, new_run())
