"""Small trainings of several kinds, with a clock that can be told and a kill that can be planned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.core.step import Report
from tasks.data.prepared import PreparedData
from tasks.models.batches import encode_split
from tasks.models.model import MODELS, TaskShape
from tasks.training.batching import ShuffledBatches
from tasks.training.evaluating import validation
from tasks.training.gradients import MeanGradient
from tasks.training.loop import Gradient, Loop
from tasks.training.training import Training

DATA = {"kind": "synthetic-assistant", "examples": 150, "intents": 4, "seed": 2}
ADAMW = {"kind": "adamw", "learning_rate": 0.01}
MOMENTUM = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}
BILSTM = {"kind": "bilstm", "hidden_size": 8, "embedding_size": 8, "layers": 2, "dropout": 0.3}
GPT2 = {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.2, "tokenizer": {"kind": "bytes", "max_tokens": 32}}
BERT = {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.1}
LINEAR = {"kind": "linear", "bigram_buckets": 64}


class Killed(Exception):
    """Stands for the end of the process."""


@dataclass
class Clock:
    """Every look at it takes a second."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def loop(data: PreparedData, model: dict[str, Any], training: dict[str, Any], folder: Path, seed: int = 3, piece: int | None = None) -> Loop:
    """A training as a new process would set it up, with its checkpoints and series in a folder."""
    shape = TaskShape(data.task, data.labels, data.slots)
    started = MODELS.parse(model).start(shape, {}, seed)  # type: ignore[attr-defined]
    settings = Training.model_validate(training)
    encoded = encode_split(data.split("train"), started.encoder, shape)
    held = encode_split(data.split("test"), started.encoder, shape)
    (folder / "report").mkdir(parents=True, exist_ok=True)
    return Loop(
        network=started.network,
        optimizer=settings.optimizer.build(started.network.parameters()),
        training=settings,
        batches=ShuffledBatches(encoded.lengths, settings.expected_batch_size, seed),
        gradient=MeanGradient(encoded, "cpu", "fp32", seed, piece),
        evaluate=partial(validation, started.network, held, "cpu", "fp32") if settings.early_stopping else None,
        device="cpu",
        folder=folder / "checkpoint",
        report=Report(folder / "report"),
    )


def killed_at(step: int, gradient: Gradient) -> Gradient:
    """The gradient of a training whose process ends when it comes to a step."""

    def found(network: nn.Module, indices: Tensor, at: int) -> Tensor | None:
        if at == step:
            raise Killed
        return gradient(network, indices, at)

    return found


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copies of all weights by name."""
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are the same to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
