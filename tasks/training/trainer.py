"""One training in memory: a model begun from the seed, trained by the loop, not yet written anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from tasks.core.errors import UserError
from tasks.core.measures import Row, share
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.models.batches import Encoded, encode_split
from tasks.models.model import Started, TaskShape
from tasks.privacy.account import Account
from tasks.training import ranks
from tasks.training.augmentation import encode_augmented
from tasks.training.charging import account_of
from tasks.training.checkpoint import Progress
from tasks.training.evaluating import validation
from tasks.training.gradients import Paired
from tasks.training.guards import WeightsGuard
from tasks.training.loop import CHECKPOINT_SECONDS, Loop
from tasks.training.mechanics import Mechanics, mechanics
from tasks.training.pairing import encode_paired
from tasks.training.precision import resolve
from tasks.training.training import Training

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig


class TrainingError(UserError):
    """A training that cannot begin; the message is the one line a person needs."""


class Teaching:
    """How a training begins and what it learns from: the records, and their reversals where the training block asks for them. Distillation has another."""

    _told: tuple[Row, ...] = ()

    def begin(self, started: Started) -> None:
        """Change the first weights of a network that is on the processor."""

    def encode(self, prepared: PreparedData, started: Started, shape: TaskShape, training: Training, run: StepRun) -> Encoded:
        """The training examples; those of one record stand together. Raises UserError where reversals do not fit the task."""
        encode = encode_split if training.pairing is None else partial(encode_paired, pairing=training.pairing)
        records = prepared.split("train")
        if training.augmentation is None:
            encoded = encode(records, started.encoder, shape)
            self._told = _paired(encoded)
        else:
            encoded, found = encode_augmented(records, started.encoder, shape, training.augmentation, encode)
            self._told = (*found.rows("texts_reversed"), *_paired(encoded))
        return encoded

    def rows(self, private: bool) -> tuple[Row, ...]:
        """What is to be told of the examples; nothing of ``private`` ones, whose counts no guarantee covers."""
        return () if private else self._told


def _paired(encoded: Encoded) -> tuple[Row, ...]:
    """The share of the examples that are compared with a reversal."""
    return share("train/texts_paired", len(encoded.twins), len(encoded)) if isinstance(encoded, Paired) else ()


@dataclass
class Trained:
    """A model with its training examples, before or after training. ``by_example``: kinds of layers that were clipped example by example; ``stack``: how
    many models were trained at once.
    """

    started: Started
    shape: TaskShape
    encoded: Encoded
    precision: str
    progress: Progress = field(default_factory=Progress)
    by_example: tuple[str, ...] = ()
    stack: int = 1


@dataclass(frozen=True)
class Trainer:
    """What all trainings of one step share.

    Args:
        inputs: folders that the model may need.
        prepared: the data.
        account: what is spent; None without privacy.
        seed: the first weights follow from it.
        teaching: how it begins and what is learnt from.
    """

    inputs: Mapping[str, Path]
    prepared: PreparedData
    account: Account | None
    seed: int
    teaching: Teaching = field(default_factory=Teaching)

    @classmethod
    def of(cls, config: TrainConfig, inputs: Mapping[str, Path], seed: int) -> Self:
        """That of a step on the prepared ``data``."""
        prepared = PreparedData(inputs["data"])
        return cls(inputs, prepared, account_of(config, prepared.facts), seed, config.teaching(inputs))

    def begin(self, config: TrainConfig, run: StepRun) -> Trained:
        """The model with its first weights, on its device. Raises ModelError."""
        shape = TaskShape(self.prepared.task, self.prepared.labels, self.prepared.slots)
        if not self.prepared.has("train"):
            raise TrainingError(f"there is nothing to train on: the data has the splits {', '.join(self.prepared.split_names)}")
        started = config.model.start(shape, self.inputs, self.seed)
        self.teaching.begin(started)
        if config.training.activation_checkpointing:
            started.model.checkpoint_activations(started.network)
        started.network.to(run.device)
        precision = resolve(config.training.precision, run.device, started.model.transformer and self.account is None)
        encoded = self.teaching.encode(self.prepared, started, shape, config.training, run)
        if encoded.masking is not None:
            encoded = replace(encoded, masking=replace(encoded.masking, rate=config.training.mask_rate))
        if self.account is not None and self.account.unit == "user":
            encoded = replace(encoded, users=self._users()[encoded.records])
        return Trained(started, shape, encoded, precision)

    def _users(self) -> Tensor:
        """(N,) long, the user of each training record, numbered as they come. Raises TrainingError where one has none."""
        import pandas as pd

        numbers, _ = pd.factorize(self.prepared.split("train")["user"])
        if (numbers < 0).any():
            raise TrainingError(f"privacy.unit is the user, and {int((numbers < 0).sum())} training records name none: leave them out, or name one for each")
        return torch.from_numpy(numbers).long()

    def train(self, config: TrainConfig, key: int, run: StepRun, checkpoint: Path) -> Trained:
        """From the newest checkpoint, or the beginning, to the end; all draws follow from the key. Raises TrainingError, TrainingDiverged."""
        trained = self.begin(config, run)
        found = mechanics(config, self.account, trained.encoded, trained.started, self.inputs, key, run, trained.precision)
        trained.by_example = found.by_example
        try:
            trained.progress = self._loop(config, trained, found, run, checkpoint).run()
        finally:
            found.close()
        return trained

    def validate(self, trained: Trained, run: StepRun, who: str) -> Callable[[], dict[str, float]]:
        """Metrics on the validation split, asked at any time. Raises TrainingError where there is no such split."""
        if not self.prepared.has("validation"):
            raise TrainingError(f"{who} needs a validation split; the data has {', '.join(self.prepared.split_names)}")
        held = encode_split(self.prepared.split("validation"), trained.started.encoder, trained.shape)
        return partial(validation, trained.started.network, held, run.device, trained.precision)

    def _loop(self, config: TrainConfig, trained: Trained, found: Mechanics, run: StepRun, checkpoint: Path) -> Loop:
        network = trained.started.network
        if run.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(run.device)
        return Loop(
            network=network,
            optimizer=config.training.optimizer.build([parameter for parameter in network.parameters() if parameter.requires_grad]),
            training=config.training,
            batches=found.batches,
            gradient=found.gradient,
            evaluate=self.validate(trained, run, "training.early_stopping") if config.training.early_stopping else None,
            device=run.device,
            folder=checkpoint,
            report=run.report,
            keeper=found.keeper,
            note=f"; read example by example, which is slower: {', '.join(found.by_example)}" if found.by_example else "",
            first_step_done=WeightsGuard(network, all_change=self.account is not None).check,
            checkpoint_seconds=CHECKPOINT_SECONDS if ranks.rank() == 0 else math.inf,
        )
