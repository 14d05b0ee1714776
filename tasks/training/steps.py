"""The steps that train models: one, several at once, or one that goes on from another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.models.model import MODELS, Model
from tasks.privacy.privacy import PRIVACY, Privacy
from tasks.privacy.search import Search
from tasks.training.charging import charge, charge_stack, uncovered
from tasks.training.training import Training

if TYPE_CHECKING:
    from tasks.training.trainer import Teaching


class TrainConfig(StepConfig):
    """Which model, trained how, under which mechanism. ``submission`` names the one submission that a secret training belongs to."""

    model: Annotated[Model, OneOf(MODELS)]
    training: Training
    privacy: Annotated[Privacy, OneOf(PRIVACY)]
    randomness: Literal["reproducible", "secret"]
    search: Search | None = None
    submission: str | None = None

    def teaching(self, inputs: Mapping[str, Path]) -> Teaching:
        """How the training begins and what it learns from."""
        from tasks.training.trainer import Teaching

        return Teaching()


def train(config: TrainConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train on the prepared ``data``; write the model artifact, its costs, its privacy and what it ran on."""
    from tasks.training.trial import train_trial

    train_trial(config, inputs, seed, run)


TRAIN = Step("train", train, TrainConfig, charge)


STACK = 16
"""The most models that are trained at once."""


class TrainStackedConfig(TrainConfig):
    """Several trainings of one config, each with a seed and data of its own."""

    seeds: tuple[int, ...]


def train_stacked(config: TrainStackedConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train a model on each prepared ``data/<i>``, all at once; write the model artifact of each as the folder ``<i>``."""
    from tasks.training.stacked_trial import train_stack

    train_stack(config, inputs, run)


TRAIN_STACKED = Step("train-stacked", train_stacked, TrainStackedConfig, charge_stack)


class ShadowConfig(StepConfig):
    """Which model of a stack."""

    index: int


def shadow(config: ShadowConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """One model of a ``stack`` as an artifact of its own: the same files, copied only where the file system cannot share them."""
    shutil.copytree(inputs["stack"] / str(config.index), run.folder, copy_function=_shared, dirs_exist_ok=True)


def _shared(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


SHADOW = Step("shadow", shadow, ShadowConfig)


class FineTuneConfig(StepConfig):
    """How the body of another model is trained on, with answer layers of its own."""

    training: Training
    frozen: bool = False


def fine_tune(config: FineTuneConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train the model artifact ``base`` on the prepared ``data``; write a model artifact. Without privacy: it stays inside the study."""
    from tasks.models.continuing import Continued
    from tasks.privacy.mechanisms.none import NoPrivacy
    from tasks.training.trial import train_trial

    none = NoPrivacy(kind="none")
    whole = TrainConfig.model_construct(
        model=Continued(kind="continued", frozen=config.frozen), training=config.training, privacy=none, randomness="reproducible", search=None, submission=None
    )
    train_trial(whole, inputs, seed, replace(run, processes=1))  # no other process could read this config


FINE_TUNE = Step("fine-tune", fine_tune, FineTuneConfig, uncovered)
