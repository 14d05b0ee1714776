"""Predictions with groups in a folder, as the predict step leaves them, and what the accuracy gap says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.measures import Measures, Row
from tasks.fairness.metric import FAIRNESS, FairnessMetric

PREFIX = "fairness/accuracy/"


def measured(table: pd.DataFrame, folder: Path, task: str = "intent", seed: int = 0, **fields: Any) -> Measures:
    """What the accuracy gap says of a table of predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "predictions.json").write_text(json.dumps({"split": "test", "n": len(table), "data": "d", "task": task}))
    metric = FAIRNESS.parse({"kind": "accuracy-gap", **fields})
    assert isinstance(metric, FairnessMetric)
    return metric.measure(folder, {"predictions/test": folder}, folder, seed, None)


def rows(table: pd.DataFrame, folder: Path, **fields: Any) -> dict[str, Row]:
    """Its rows by what follows the prefix."""
    return {row.name.removeprefix(PREFIX): row for row in measured(table, folder, **fields).rows}


def answers(groups: Sequence[str | None], right: Sequence[bool], users: Sequence[str | None] | None = None) -> pd.DataFrame:
    """One record per answer."""
    labels = np.where(np.arange(len(right)) % 2 == 0, "x", "y")
    predicted = np.where(np.asarray(right, dtype=bool), labels, "z")
    found = pd.DataFrame(
        {"id": [f"r{index}" for index in range(len(right))], "group": pd.Series(list(groups), dtype=object), "label": labels, "predicted": predicted}
    )
    return found if users is None else found.assign(user=pd.Series(users, dtype=object))


def exactly(shares: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """Groups with so many right of so many."""
    groups = [group for group, (_, size) in shares.items() for _ in range(size)]
    right = [index < good for good, size in shares.values() for index in range(size)]
    return answers(groups, right)
