"""One training from prepared data to model artifact."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tasks.core.errors import UserError
from tasks.core.measures import Measures, Row
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.models.artifact import save_model
from tasks.models.batches import Encoded, encode_split
from tasks.models.model import Started, TaskShape
from tasks.training.batching import ShuffledBatches
from tasks.training.checkpoint import Progress
from tasks.training.evaluating import validation
from tasks.training.gradients import MeanGradient
from tasks.training.loop import Loop
from tasks.training.precision import resolve

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig

DATA_FACTS = ("kind", "task", "digest", "counts", "public_size", "attack_holdout", "population", "private")


class TrainingError(UserError):
    """A training that cannot begin; the message is the one line a person needs."""


def train_trial(config: TrainConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train and write the artifact. Raises TrainingError, ModelError, TrainingDiverged."""
    prepared = PreparedData(inputs["data"])
    shape = TaskShape(prepared.task, prepared.labels, prepared.slots)
    started = config.model.start(shape, inputs, seed)
    started.network.to(run.device)
    precision = resolve(config.training.precision, run.device, started.model.transformer)
    encoded = encode_split(prepared.split("train"), started.encoder, shape)
    progress = _loop(config, started, encoded, _validation(config, prepared, started, shape, run, precision), seed, run, precision).run()
    data = {**{name: prepared.facts[name] for name in DATA_FACTS}, "members": prepared.split("train")["id"].tolist()}
    save_model(run.folder, started, shape, config.privacy.record(), data)
    _costs(progress, run.device).save(run.folder)
    environment = {
        "device": run.device,
        "physical_batch_size": run.physical_batch_size,
        "precision": precision,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    (run.folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")


def _loop(config: TrainConfig, started: Started, encoded: Encoded, evaluate: object, seed: int, run: StepRun, precision: str) -> Loop:
    trained = [parameter for parameter in started.network.parameters() if parameter.requires_grad]
    if run.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(run.device)
    return Loop(
        network=started.network,
        optimizer=config.training.optimizer.build(trained),
        training=config.training,
        batches=ShuffledBatches(encoded.lengths, config.training.expected_batch_size, seed),
        gradient=MeanGradient(encoded, run.device, precision, seed, run.physical_batch_size),
        evaluate=evaluate,  # type: ignore[arg-type]
        device=run.device,
        folder=run.checkpoint,
        report=run.report,
    )


def _validation(config: TrainConfig, prepared: PreparedData, started: Started, shape: TaskShape, run: StepRun, precision: str) -> object:
    if config.training.early_stopping is None:
        return None
    if not prepared.has("validation"):
        raise TrainingError(f"training.early_stopping needs a validation split; the data has {', '.join(prepared.split_names)}")
    held = encode_split(prepared.split("validation"), started.encoder, shape)
    return partial(validation, started.network, held, run.device, precision)


def _costs(progress: Progress, device: str) -> Measures:
    """What the training cost on this machine."""
    conditions = {"device": device.split(":")[0], "machine": platform.machine()}
    seconds = max(progress.seconds, 1e-9)
    numbers = {
        "train_seconds": (seconds, "lower"),
        "examples_per_second": (progress.examples / seconds, "higher"),
        "step_seconds": (seconds / max(1, progress.step), "lower"),
        "peak_memory_mib": (progress.peak_memory_mib, "lower"),
    }
    rows = ({"name": f"cost/{name}", "value": value, "direction": way} for name, (value, way) in numbers.items())
    return Measures(tuple(Row.model_validate({**row, "lowest": 0, "conditions": conditions}) for row in rows))
