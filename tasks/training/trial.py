"""From prepared data to model artifact: one training, or the best of a search, written with its account and its costs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tasks.core.measures import Measures, Row
from tasks.core.step import StepRun
from tasks.models.artifact import save_model
from tasks.privacy.account import Account
from tasks.privacy.measuring import account_rows
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.randomness import key_of
from tasks.training.guards import check_saved
from tasks.training.mechanics import divisor_of
from tasks.training.searching import best_of
from tasks.training.together import train
from tasks.training.trainer import Trained, Trainer

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig

DATA_FACTS = ("kind", "task", "digest", "counts", "public_size", "attack_holdout", "population", "private")


def train_trial(config: TrainConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train and write the artifact. Raises TrainingError, ModelError, TrainingDiverged, TrainingGuard, RankLost."""
    trainer = Trainer.of(config, inputs, seed)
    key = key_of(config.randomness, seed, run.checkpoint)
    trained = train(trainer, config, key, run, run.checkpoint / "training") if config.search is None else best_of(trainer, config, key, run)
    write_trial(config, trainer, trained, run)


def write_trial(config: TrainConfig, trainer: Trainer, trained: Trained, run: StepRun) -> None:
    """The artifact of a training that has ended. Raises TrainingGuard where it does not answer as what was trained."""
    prepared, account = trainer.prepared, trainer.account
    data = {**{name: prepared.facts[name] for name in DATA_FACTS}, "members": prepared.split("train")["id"].tolist()}
    save_model(run.folder, trained.started, trained.shape, _record(config, account, trained), data)
    check_saved(trained.started.network, run.folder, trained.encoded, run.device)
    Measures((*_costs(trained, account, run), *account_rows(account), *trainer.teaching.rows(account is not None))).save(run.folder)
    environment = {
        "device": run.device,
        "physical_batch_size": run.physical_batch_size,
        "processes": run.processes,
        "stack": trained.stack,
        "precision": trained.precision,
        "clipped_by_example": list(trained.by_example),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    (run.folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")


def _record(config: TrainConfig, account: Account | None, trained: Trained) -> dict[str, Any]:
    """What ``privacy.json`` says."""
    if account is None:
        return {"guarantee": "none"}
    assert isinstance(config.privacy, DpSgd)  # no other mechanism has an account that a training carries out
    return {**account.record(), "divisor": divisor_of(config.privacy, account, trained.started)}


def _costs(trained: Trained, account: Account | None, run: StepRun) -> tuple[Row, ...]:
    """What the training cost on this machine, of several processes the memory of the first. Under privacy examples are counted as expected: their true
    number is private.
    """
    several = {"processes": run.processes, "stack": trained.stack}
    conditions = {"device": run.device.split(":")[0], "machine": platform.machine(), **{name: str(count) for name, count in several.items() if count > 1}}
    progress = trained.progress
    seconds = max(progress.seconds, 1e-9)
    examples = progress.examples if account is None else progress.step * account.schedule.expected_batch_size
    numbers = {
        "train_seconds": (seconds, "lower"),
        "examples_per_second": (examples / seconds, "higher"),
        "step_seconds": (seconds / max(1, progress.step), "lower"),
        "peak_memory_mib": (progress.peak_memory_mib, "lower"),
    }
    counted = {} if account is None or account.unit == "example" else {"counted": f"{account.unit}s"}
    rows = ({"name": f"cost/{name}", "value": value, "direction": way} for name, (value, way) in numbers.items())
    return tuple(
        Row.model_validate({**row, "lowest": 0, "conditions": {**conditions, **(counted if row["name"] == "cost/examples_per_second" else {})}}) for row in rows
    )
