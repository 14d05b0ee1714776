"""Small stacks of models, each on a pool of its own, and the same trainings one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.core.step import Report, StepRun
from tasks.data.prepared import PreparedData
from tasks.training.stack import StackedTraining
from tasks.training.steps import TrainConfig
from tasks.training.trainer import Trained, Trainer
from tests.conftest import Prepare

POOLS = {"kind": "synthetic-assistant", "examples": 150, "intents": 4, "seed": 2, "public_size": 70, "attack_holdout": 40}
SEEDS = (3, 4, 5)
"""Of the pools' coins and of the trainings: with them the pools take 5, 6 and 5 batches of sixteen."""
TOKENS = {"kind": "bytes", "max_tokens": 32}
BERT: Mapping[str, Any] = {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0}
MODELS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "linear": ("intent", {"kind": "linear", "bigram_buckets": 64}),
    "bilstm": ("joint", {"kind": "bilstm", "hidden_size": 8, "embedding_size": 8, "layers": 2, "dropout": 0}),
    "bert": ("joint", BERT),
    "bert masked": ("mlm", {**BERT, "tokenizer": TOKENS}),
    "gpt2": ("lm", {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0, "tokenizer": TOKENS}),
}
SETTINGS: dict[str, Any] = {
    "epochs": 1.5,
    "expected_batch_size": 16,
    "optimizer": {"kind": "adamw", "learning_rate": 0.01},
    "schedule": {"kind": "linear", "warmup": 0.2},
    "precision": "fp32",
}


def config(name: str, **training: Any) -> TrainConfig:
    _, model = MODELS[name]
    values = {"model": model, "training": {**SETTINGS, **training}, "privacy": {"kind": "none"}, "randomness": "reproducible"}
    return TrainConfig.model_validate(values)


def pools(name: str, prepare: Prepare, seeds: Sequence[int] = SEEDS) -> list[PreparedData]:
    """Members drawn by each seed's coins."""
    return [prepare({**POOLS, "task": MODELS[name][0]}, seed) for seed in seeds]


def begun(
    how: TrainConfig, data: Sequence[PreparedData], folder: Path, seeds: Sequence[int] = SEEDS, piece: int | None = None
) -> tuple[list[Trained], StepRun]:
    """Every model as its single training begins, and where."""
    (folder / "report").mkdir(parents=True, exist_ok=True)
    run = StepRun(folder, folder / "checkpoint", "cpu", piece, Report(folder / "report"))
    return [Trainer.of(how, {"data": one.folder}, seed).begin(how, run) for one, seed in zip(data, seeds, strict=True)], run


def stack(how: TrainConfig, data: Sequence[PreparedData], folder: Path, seeds: Sequence[int] = SEEDS, piece: int | None = None) -> StackedTraining:
    """A stack as a new process would set it up, with its checkpoints and series in a folder."""
    models, run = begun(how, data, folder, seeds, piece)
    return StackedTraining(models, seeds, how.training, run, run.checkpoint)


def trained(found: StackedTraining, count: int = len(SEEDS)) -> list[dict[str, Tensor]]:
    """Copies of the weights of each model, in the order of the seeds."""
    copies = []
    for model in range(count):
        found.put_back(model)
        copies.append({name: value.detach().clone() for name, value in found.network.named_parameters()})
    return copies


def single(how: TrainConfig, data: PreparedData, seed: int, folder: Path) -> dict[str, Tensor]:
    """The weights of one training by itself."""
    (folder / "report").mkdir(parents=True, exist_ok=True)
    run = StepRun(folder, folder / "checkpoint", "cpu", None, Report(folder / "report"))
    found = Trainer.of(how, {"data": data.folder}, seed).train(how, seed, run, run.checkpoint)
    return {name: value.detach() for name, value in found.started.network.named_parameters()}


SHIFTS = ("attention.self.key.bias", "attn.c_attn.bias")
"""Of no consequence, for a softmax takes no notice of a shift: their gradients are rounding, which Adam makes as large as any."""


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one if not name.endswith(SHIFTS))


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    return float(torch.stack([(one[name] - other[name]).square().sum() for name in one]).sum().sqrt())
