"""The steps that load a model as it is, tell its members from others, and ask it about a split; utility, attacks and fairness read its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.models.ability import ReadAs
from tasks.models.model import MODELS, Model


class PredictConfig(StepConfig):
    """Which split: train, validation, test or nonmembers."""

    split: str = "test"


def predict(config: PredictConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write ``predictions.parquet``, ``logits.safetensors`` (N, C) where there is an intent, and ``predictions.json``."""
    from tasks.models.predicting import write_predictions

    write_predictions(config.split, inputs["model"], inputs["data"], run)


PREDICT = Step("predict", predict, PredictConfig)


class LoadConfig(StepConfig):
    """Which model, and what it is read as; ``auto``: what its configuration says."""

    model: Annotated[Model, OneOf(MODELS)]
    read_as: ReadAs = "auto"


def load(config: LoadConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the model artifact of a published model, or of the recorded one ``base``."""
    from tasks.models.loading import write_loaded

    write_loaded(config.model, config.read_as, inputs, run)


LOAD = Step("load", load, LoadConfig)


class MembersConfig(StepConfig):
    """Who says which records a model from elsewhere was trained on: the model itself, or the data's own split."""

    members: Literal["recorded", "train-split"]


def members(config: MembersConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the prepared ``data`` with the records that ``model`` was trained on as ``train``, and others as ``nonmembers``."""
    from tasks.models.members import write_members

    write_members(config.members, inputs["model"], inputs["data"], run.folder)


MEMBERS = Step("members", members, MembersConfig)
