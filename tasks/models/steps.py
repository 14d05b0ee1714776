"""The step that asks a trained model about one split; utility, attacks and fairness read its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.core.step import Step, StepConfig, StepRun


class PredictConfig(StepConfig):
    """Which split: train, validation, test or nonmembers."""

    split: str = "test"


def predict(config: PredictConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write ``predictions.parquet``, ``logits.safetensors`` (N, C) where there is an intent, and ``predictions.json``."""
    from tasks.models.predicting import write_predictions

    write_predictions(config.split, inputs["model"], inputs["data"], run)


PREDICT = Step("predict", predict, PredictConfig)
