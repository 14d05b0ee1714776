"""Accuracy by group and its gaps, with clustered bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.bootstrap import Interval, clusters_of, estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gaps:
    """Accuracy by group, sorted by name; the best group's less the worst's; the worst's."""

    by_group: dict[str, Interval]
    difference: Interval
    worst: Interval
    worst_group: str


def gaps(predictions: pd.DataFrame, seed: int, name: str) -> Gaps:
    """From columns id, group, label, predicted and perhaps user, whose records are drawn whole. Two groups at least; ties go to the first name."""
    groups = sorted(predictions["group"].unique())
    correct = (predictions["label"] == predictions["predicted"]).to_numpy(dtype=float)
    is_of = np.column_stack([(predictions["group"] == group).to_numpy(dtype=float) for group in groups])
    sums = np.hstack([is_of * correct[:, None], is_of])
    clusters = clusters_of(predictions)

    def accuracy(total: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.asarray(total[:, : len(groups)] / total[:, len(groups) :])

    point = accuracy(sums.sum(axis=0, keepdims=True))[0]
    best = int(point.argmax())
    worst = int(point.argmin()) if point.min() < point.max() else 1  # all alike: still two groups, whose difference has a spread

    def gap(value: float, column: int, less: int | None, entity: str) -> Interval:
        def statistic(total: Floats) -> Floats:
            found = accuracy(total)
            return np.asarray(found[:, column] - (0.0 if less is None else found[:, less]))

        _, ends = estimate(sums, statistic, clusters, seed, f"{name}/{entity}")
        return Interval(value, *(ends or (None, None)))

    by_group = {group: gap(float(point[index]), index, None, group) for index, group in enumerate(groups)}
    return Gaps(by_group, gap(float(point[best] - point[worst]), best, worst, "difference"), by_group[groups[worst]], groups[worst])
