"""Predictions in a folder, as the predict step leaves them, and a metric's row of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.measures import Measures, Row
from tasks.utility.metric import UTILITY, UtilityMetric


def measured(kind: str, table: pd.DataFrame, folder: Path, task: str = "joint", seed: int = 0, **fields: Any) -> Measures:
    """What a metric says of a table of predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "predictions.json").write_text(json.dumps({"split": "test", "n": len(table), "data": "d", "task": task}))
    metric = UTILITY.parse({"kind": kind, **fields})
    assert isinstance(metric, UtilityMetric)
    return metric.measure(folder, {"predictions/test": folder}, folder, seed, None)


def row(kind: str, table: pd.DataFrame, folder: Path, task: str = "joint", **fields: Any) -> Row:
    """Its one row."""
    [found] = measured(kind, table, folder, task, **fields).rows
    return found


def table(count: int = 120, seed: int = 0) -> pd.DataFrame:
    """Random answers: labels of five kinds, one of which is never predicted, tags that are sometimes broken, losses, texts' sums."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(["a", "b", "c", "d"], size=count)
    predicted = np.where(draw.random(count) < 0.6, labels, draw.choice(["a", "b", "e"], size=count))
    tags = ["O", "B-x", "I-x", "B-y", "I-y"]
    slots, guessed = [], []
    for _ in range(count):
        given = [str(tag) for tag in draw.choice(tags, size=draw.integers(1, 9))]
        slots.append(given)
        guessed.append([tag if draw.random() < 0.7 else str(draw.choice(tags)) for tag in given])
    nats, size = draw.exponential(80, size=count), draw.integers(5, 200, size=count)
    return pd.DataFrame(
        {
            "id": [f"r{index}" for index in range(count)],
            "user": draw.choice([f"u{index}" for index in range(25)], size=count),
            "label": labels,
            "predicted": predicted,
            "loss": draw.exponential(size=count),
            "slots": slots,
            "predicted_slots": guessed,
            "nats": nats,
            "bytes": size,
            "tokens": size,
        }
    )
