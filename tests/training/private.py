"""Small private trainings, and data sets that differ by one record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.privacy.account import Account
from tasks.privacy.privacy import Setting
from tasks.training.mechanics import Mechanics, mechanics
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TrainConfig
from tasks.training.trainer import Trained, Trainer
from tests.training.trainings import ADAMW, BERT, BILSTM, DATA, GPT2

PUBLIC_SIZE = 120
KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bilstm": ("joint", BILSTM, "opacus-ghost"),
    "bert": ("intent", BERT, "opacus-hooks"),
    "gpt2": ("lm", GPT2, "opacus-hooks"),
}
"""Task, model and engine."""


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


def begun(settings: TrainConfig, data: PreparedData, run: StepRun, key: int = 5, seed: int = 3) -> tuple[Account, Trained, Mechanics, PrivateGradient]:
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
