"""Small private trainings, and data sets that differ by one record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.privacy.account import Account
from tasks.privacy.privacy import Setting
from tasks.training.mechanics import Mechanics, mechanics
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TrainConfig, train
from tasks.training.trainer import Trained, Trainer
from tests.training.trainings import ADAMW, BERT, BILSTM, DATA, GPT2, Killed

PUBLIC_SIZE = 120
SEED = 3
KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bilstm": ("joint", BILSTM, "opacus-ghost"),
    "bert": ("intent", BERT, "opacus-hooks"),
    "gpt2": ("lm", GPT2, "opacus-hooks"),
}
"""Task, model and engine."""


Begun = tuple[Account, Trained, Mechanics, PrivateGradient]


def block(task: str, **fields: Any) -> dict[str, Any]:
    """The data block."""
    return {**DATA, "task": task, "public_size": PUBLIC_SIZE, **fields}


def config(model: Mapping[str, Any], engine: str, randomness: str = "reproducible", **fields: Any) -> TrainConfig:
    """A short private training; ``training``, ``privacy`` and ``norm`` replace parts of it, other fields are the step's."""
    training = {"epochs": 1, "expected_batch_size": 12, "optimizer": ADAMW, "precision": "fp32", **fields.pop("training", {})}
    clipping = {"engine": {"kind": engine}, "rule": {"kind": "flat", "l2_clip_norm": fields.pop("norm", 0.5)}}
    privacy = {"kind": "dp-sgd", "noise_multiplier": 1.0, "clipping": clipping, **fields.pop("privacy", {})}
    return TrainConfig.model_validate({"model": model, "training": training, "privacy": privacy, "randomness": randomness, **fields})


def account_of(settings: TrainConfig, data: PreparedData) -> Account:
    """What the training spends."""
    training = settings.training
    public = Setting(data.facts["public_size"], training.expected_batch_size, training.epochs, settings.randomness, settings.search)
    found = settings.privacy.account(public)
    assert found is not None
    return found


def begun(settings: TrainConfig, data: PreparedData, run: StepRun, key: int = 5, seed: int = SEED) -> Begun:
    """A training as a new process sets it up, before its first step."""
    account = account_of(settings, data)
    trained = Trainer({}, data, account, seed).begin(settings, run)
    found = mechanics(settings, account, trained.encoded, trained.started, {}, key, run, trained.precision)
    assert isinstance(found.gradient, PrivateGradient)
    trained.started.network.train()
    return account, trained, found, found.gradient


def with_records(data: PreparedData, folder: Path, records: pd.DataFrame) -> PreparedData:
    """The same data with other training records: everything that is public stays."""
    shutil.copytree(data.folder, folder)
    records.to_parquet(folder / "train.parquet", index=False)
    facts = json.loads((folder / "data.json").read_text())
    facts["counts"]["train"] = len(records)
    (folder / "data.json").write_text(json.dumps(facts))
    return PreparedData(folder)


def neighbour(data: PreparedData, folder: Path, change: int) -> PreparedData:
    """The data without its last record (-1), or with one more (1)."""
    records = data.split("train")
    return with_records(data, folder, records.iloc[:-1] if change < 0 else pd.concat([records, data.split("test").iloc[:1]], ignore_index=True))


def done(settings: TrainConfig, data: PreparedData, run: StepRun, seed: int = SEED) -> dict[str, Tensor]:
    """The weights of the artifact that a training leaves in the run's folder."""
    train(settings, {"data": data.folder}, seed, run)
    return load_file(run.folder / "model.safetensors")


Asked = Callable[[PrivateGradient, nn.Module, Tensor, int], Tensor | None]


KEPT = PrivateGradient.__call__


def killed_at(step: int) -> Asked:
    def found(gradient: PrivateGradient, network: nn.Module, indices: Tensor, at: int) -> Tensor | None:
        if at == step:
            raise Killed
        return KEPT(gradient, network, indices, at)

    return found


def killed(settings: TrainConfig, data: PreparedData, run: StepRun, step: int) -> None:
    """A training whose process ends when it comes to a step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateGradient, "__call__", killed_at(step))
        with pytest.raises(Killed):
            done(settings, data, run)


def same_work(run: StepRun) -> StepRun:
    """The run of a process that goes on with the same checkpoint: the unfinished result is thrown away, global state is another."""
    shutil.rmtree(run.folder)
    run.folder.mkdir()
    torch.manual_seed(99)
    return run


def asked(gradient: PrivateGradient, network: nn.Module, indices: Tensor, step: int) -> dict[str, Tensor]:
    """The update of a step."""
    network.zero_grad()
    gradient(network, indices, step)
    return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def occurrences(value: int, folder: Path) -> set[str]:
    """The files that hold a key in any way of writing it."""
    ways = [f"{value:x}".encode(), str(value).encode(), *(value.to_bytes(32, order) for order in ("big", "little"))]
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and any(way in path.read_bytes() for way in ways)}
