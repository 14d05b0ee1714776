"""From prepared data of several trials to their model artifacts, trained at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tasks.core.step import StepRun
from tasks.training.checkpoint import Progress
from tasks.training.stack import StackedTraining
from tasks.training.trainer import Trainer
from tasks.training.trial import write_trial

if TYPE_CHECKING:
    from tasks.training.steps import TrainStackedConfig


def train_stack(config: TrainStackedConfig, inputs: Mapping[str, Path], run: StepRun) -> None:
    """Train and write an artifact per seed. Raises NotStackable, TrainingError, ModelError, TrainingDiverged, TrainingGuard."""
    run = replace(run, processes=1)
    shared = {name: folder for name, folder in inputs.items() if not name.startswith("data/")}
    trainers = [Trainer.of(config, {**shared, "data": inputs[f"data/{index}"]}, seed) for index, seed in enumerate(config.seeds)]
    trained = [trainer.begin(config, run) for trainer in trainers]
    if run.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(run.device)
    stack = StackedTraining(trained, config.seeds, config.training, run, run.checkpoint / "training")
    for one in trained:  # from here on one network computes for all: the others would only take memory
        one.started, one.stack = replace(one.started, network=stack.network), len(trained)
    whole = stack.loop.run()
    for index, (trainer, one) in enumerate(zip(trainers, trained, strict=True)):
        steps, examples = stack.put_back(index)
        one.progress = Progress(step=steps, seconds=whole.seconds / len(trained), examples=examples, peak_memory_mib=whole.peak_memory_mib)
        folder = run.folder / str(index)
        folder.mkdir()
        write_trial(config, trainer, one, replace(run, folder=folder))
