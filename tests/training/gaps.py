"""Small classifiers of planted data, and how far their answers move when the group of a text is exchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.data.prepared import PreparedData
from tasks.fairness.metric import FAIRNESS
from tasks.training.steps import TrainConfig, train
from tests.conftest import NewRun
from tests.training.trainings import LINEAR

PLANTED = {"kind": "synthetic-stereotypes", "task": "intent", "examples": 800, "label_bias": 0.9}
SHORT = 12


def trained(data: PreparedData, new_run: NewRun, model: dict[str, Any] = LINEAR, **training: Any) -> Path:
    """The artifact of a training without privacy."""
    settings = {"epochs": SHORT, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.03}, "precision": "fp32", **training}
    config = TrainConfig.model_validate({"model": model, "training": settings, "privacy": {"kind": "none"}, "randomness": "reproducible"})
    run = new_run()
    train(config, {"data": data.folder}, 0, run)
    return run.folder


def gap(model: Path, data: PreparedData) -> float:
    """Counterfactual token fairness on the test split: the mean of |f(x) - f(x')|."""
    metric: Any = FAIRNESS.parse({"kind": "counterfactual-token-fairness", "terms": "synthetic"})
    (row,) = metric.measure(model, {}, data.folder, 0, None).rows
    assert row.value is not None
    return float(row.value)
