"""The steps that load a model as it is, and that ask one about a split; utility, attacks and fairness read its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

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
