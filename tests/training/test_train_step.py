"""The train step: the same seed gives the same model, in fp32 and in bf16, with everything that is needed to use and judge it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tasks.core.measures import Measures
from tasks.data.prepared import PreparedData
from tasks.models.artifact import load_model
from tasks.training.steps import TrainConfig, train
from tasks.training.trainer import TrainingError
from tests.conftest import NewRun, Prepare
from tests.training.trainings import ADAMW, BERT, BILSTM, DATA, GPT2, LINEAR, equal

TASKS = {"linear": ("intent", LINEAR), "bilstm": ("joint", BILSTM), "bert": ("intent", BERT), "gpt2": ("lm", GPT2)}


def trained(data: PreparedData, model: dict[str, Any], new_run: NewRun, seed: int = 0, **training: Any) -> Path:
    """The artifact of a short training."""
    settings = {"epochs": 2, "expected_batch_size": 32, "optimizer": ADAMW, "precision": "fp32", **training}
    config = TrainConfig.model_validate({"model": model, "training": settings, "privacy": {"kind": "none"}, "randomness": "reproducible"})
    run = new_run()
    train(config, {"data": data.folder}, seed, run)
    return run.folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_same_seed_gives_the_same_weights(name: str, prepare: Prepare, new_run: NewRun) -> None:
    task, model = TASKS[name]
    data = prepare({**DATA, "task": task})
    torch.manual_seed(1)
    one = weights(trained(data, model, new_run, 4))
    torch.manual_seed(2)
    again, other = (weights(trained(data, model, new_run, seed)) for seed in (4, 5))
    assert equal(one, again) and not equal(one, other)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_bf16_trains_weights_that_stay_fp32(name: str, prepare: Prepare, new_run: NewRun) -> None:
    """Its loss goes where that of fp32 goes; its weights are others, so the path was taken."""
    task, model = TASKS[name]
    data = prepare({**DATA, "task": task})
    folders = {precision: trained(data, model, new_run, precision=precision, epochs=3) for precision in ("fp32", "bf16")}
    losses = {}
    for precision, folder in folders.items():
        assert json.loads((folder / "environment.json").read_text())["precision"] == precision
        assert {value.dtype for value in weights(folder).values()} == {torch.float32}
        points = [json.loads(line) for line in (folder.parent / "report" / "metrics.jsonl").read_text().splitlines()]
        losses[precision] = [point["value"] for point in points if point["name"] == "train/loss"]
    assert losses["bf16"][-1] < losses["bf16"][0] and losses["bf16"][-1] == pytest.approx(losses["fp32"][-1], rel=0.1, abs=0.05)
    if name != "linear":  # a sum of weights has no product that bf16 could round
        assert not equal(weights(folders["fp32"]), weights(folders["bf16"]))


def test_the_artifact_tells_its_conditions(prepare: Prepare, new_run: NewRun) -> None:
    data = prepare({**DATA, "task": "intent", "public_size": 100, "attack_holdout": 20})
    folder = trained(data, LINEAR, new_run)
    facts = json.loads((folder / "data.json").read_text())
    assert facts["members"] == list(data.split("train")["id"]) and facts["digest"] == data.facts["digest"] and facts["public_size"] == 100
    assert not set(facts["members"]) & set(data.split("nonmembers")["id"])
    assert json.loads((folder / "privacy.json").read_text()) == {"guarantee": "none"}
    assert load_model(folder, "cpu").shape.labels == data.labels
    rows = {row.name: row for row in Measures.load_rows(folder)}
    assert sorted(rows) == ["cost/examples_per_second", "cost/peak_memory_mib", "cost/step_seconds", "cost/train_seconds"]
    assert all(row.value is not None and row.value > 0 and row.conditions["device"] == "cpu" for row in rows.values())
    seconds, rate = rows["cost/train_seconds"].value, rows["cost/examples_per_second"].value
    assert seconds and rate and seconds * rate == pytest.approx(2 * len(data.split("train")))


def test_early_stopping_without_a_validation_split_is_refused(prepare: Prepare, new_run: NewRun) -> None:
    with pytest.raises(TrainingError, match=r"training\.early_stopping needs a validation split; the data has train, test"):
        trained(prepare({**DATA, "task": "intent"}), LINEAR, new_run, early_stopping={"metric": "loss"})


def test_validation_is_the_mean_over_examples(prepare: Prepare, tmp_path: Path) -> None:
    """Against one example at a time, and the network goes on in training mode."""
    from tasks.models.batches import network_inputs
    from tasks.models.losses import per_example_loss
    from tests.training.trainings import loop

    data = prepare({**DATA, "task": "intent"})
    found = loop(data, BILSTM, {"early_stopping": {"metric": "accuracy"}}, tmp_path)
    assert found.evaluate is not None
    got = found.evaluate()
    assert found.network.training
    found.network.eval()
    held = found.evaluate.args[1]  # type: ignore[attr-defined]
    losses, right = [], 0
    for index in range(len(held)):
        batch = held.batch([index])
        logits = found.network(**network_inputs(batch))
        losses.append(float(per_example_loss(logits, batch).detach()))
        right += int(logits["intent"].argmax() == batch["labels"][0])
    assert got == {"loss": pytest.approx(sum(losses) / len(losses), abs=1e-5), "accuracy": right / len(held)}
