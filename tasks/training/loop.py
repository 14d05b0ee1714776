"""The training loop: steps, learning rate, early stopping, progress, checkpoints. It knows no data set and no mechanism."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from tasks.core.errors import UserError
from tasks.core.step import Report
from tasks.privacy.sampler import Batches
from tasks.training import checkpoint, ranks
from tasks.training.checkpoint import Progress
from tasks.training.memory import peak_memory_mib
from tasks.training.training import Training

CHECKPOINT_SECONDS = 15.0
POINTS = 200
STEPS = "steps"
"""In a group of an optimizer's weights: how many steps they are trained for, where that is less than all."""


class TrainingDiverged(UserError):
    """The loss is no longer a number."""


Gradient = Callable[[nn.Module, Tensor, int], Tensor | None]
"""Sets ``.grad`` from (network, indices, step): the seam where a privacy mechanism stands. Returns the mean loss, or None where it may not be told."""


def step_count(training: Training, batches: Batches) -> int:
    """All steps of a training on such batches."""
    return max(1, round(training.epochs * batches.per_epoch))


class Keeper(Protocol):
    """Has numbers that change from step to step beside the weights, such as a clip norm that adapts; they may be told, and go into checkpoints."""

    kept: dict[str, float]


@dataclass
class Loop:
    """One training.

    Args:
        network, optimizer: what is trained.
        training: how long and how.
        batches, gradient: the examples of a step, and its gradient.
        evaluate: metrics on the validation split, or None without early stopping.
        folder: where checkpoints go.
        report: progress and series.
        first_step_done: told once, after the first step of this process: a training that changes the wrong weights ends at once.
        checkpoint_seconds: least time between checkpoints.
        note: said with all progress.
        keeper: who has more to keep than weights, or None.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    training: Training
    batches: Batches
    gradient: Gradient
    evaluate: Callable[[], dict[str, float]] | None
    device: str
    folder: Path
    report: Report
    first_step_done: Callable[[], None] | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    keeper: Keeper | None = None
    note: str = ""
    progress: Progress = field(default_factory=Progress)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """All steps of the training."""
        return step_count(self.training, self.batches)

    def run(self) -> Progress:
        """Train from the newest checkpoint, or from the beginning, to the end. Raises TrainingDiverged, RankLost."""
        self.progress, self.best = checkpoint.load(self.folder, self.network, self.optimizer)
        if self.keeper is not None:
            self.keeper.kept = self.progress.kept
        self.report.rewind(self.progress.step)
        self.network.train()
        saved = time.monotonic()
        while self.progress.step < self.steps and not self.progress.stopped:
            began = time.monotonic()
            self.advance()
            if self.first_step_done is not None:
                self.first_step_done()
                self.first_step_done = None
            self.progress.seconds += time.monotonic() - began
            if time.monotonic() - saved >= self.checkpoint_seconds:
                checkpoint.save(self.folder, self.progress, self.network, self.optimizer, self.best)
                saved = time.monotonic()
        if self.best:
            checkpoint.restore(self.network, self.best)
        if not all(bool(parameter.isfinite().all()) for parameter in self.network.parameters()):
            raise self._diverged("a weight is")
        return self.progress

    def advance(self) -> None:
        """One step."""
        step = self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step, group.get(STEPS, self.steps))
        indices = self.batches[step]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.gradient(self.network, indices, step)
        if self.training.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.training.max_gradient_norm)
        self.optimizer.step()
        self.progress.step += 1
        if self.keeper is not None:
            self.progress.kept = self.keeper.kept
        self.progress.examples += len(indices)
        self._say(loss, self._rate(step, self.steps))
        if self.evaluate is not None and self._epochs(self.progress.step) > self._epochs(step):
            self._validate(ranks.of_first(self.evaluate()))

    def _rate(self, step: int, steps: int) -> float:
        return self.training.optimizer.learning_rate * self.training.schedule.factor(step, steps)

    def _epochs(self, steps: int) -> int:
        """Whole epochs in so many steps; an epoch need not be a whole number of steps."""
        return int(steps / self.batches.per_epoch + 1e-9)

    def _say(self, loss: Tensor | None, rate: float) -> None:
        """A point of the series about two hundred times; progress as often."""
        every = max(1, self.steps // POINTS)
        if self.progress.step % every and self.progress.step != self.steps:
            return
        self.progress.peak_memory_mib = max(self.progress.peak_memory_mib, peak_memory_mib(self.device))
        self.report.metric("train/learning_rate", rate, self.progress.step)
        for name, value in self.progress.kept.items():
            self.report.metric(f"train/{name}", value, self.progress.step)
        note = f"epoch {self.progress.step / self.batches.per_epoch:.1f} of {self.training.epochs:g}"
        if loss is not None:
            value = float(loss)
            if not math.isfinite(value):
                raise self._diverged("the loss is")
            self.report.metric("train/loss", value, self.progress.step)
            note += f", loss {value:.3f}"
        self.report.progress(self.progress.step, self.steps, note + self.note)

    def _diverged(self, what: str) -> TrainingDiverged:
        return TrainingDiverged(f"{what} not a number after step {self.progress.step}: lower training.optimizer.learning_rate")

    def _validate(self, found: dict[str, float]) -> None:
        """Keep the best weights; stop after too many epochs without a better one."""
        stopping = self.training.early_stopping
        assert stopping is not None
        for name, value in found.items():
            self.report.metric(f"train/validation_{name}", value, self.progress.step)
        value = found[stopping.metric] if stopping.metric in found else found["loss"]
        if not math.isfinite(value):
            raise self._diverged(f"the validation {stopping.metric} is")
        sign = 1 if stopping.metric == "accuracy" and "accuracy" in found else -1
        if self.progress.best is None or sign * (value - self.progress.best) > stopping.min_delta:
            self.progress.best, self.progress.stale_epochs = value, 0
            self.best = {name: tensor.detach().clone() for name, tensor in checkpoint.weights(self.network).items()}
        else:
            self.progress.stale_epochs += 1
            self.progress.stopped = self.progress.stale_epochs >= stopping.patience
