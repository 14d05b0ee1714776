"""Which of two numbers per item follows a third more closely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Following:
    """Spearman correlations of two measures with a rating, and their difference; each a value with its interval. ``p`` is two-sided, of no difference."""

    first: tuple[float, tuple[float, float] | None]
    second: tuple[float, tuple[float, float] | None]
    difference: tuple[float, tuple[float, float] | None]
    p: float | None


def following(first: Floats, second: Floats, rating: Floats, clusters: NDArray[np.str_], generator: np.random.Generator) -> Following | None:
    """A paired bootstrap over clusters: each resample ranks both measures on the same items. None where a measure or the rating does not vary."""
    columns = np.vstack([first, second, rating])
    if (columns.max(axis=1) == columns.min(axis=1)).any():
        return None
    point = _spearman(columns)
    _, place = np.unique(clusters, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    members = np.split(order, ends[:-1])
    draws = generator.integers(len(members), size=(RESAMPLES, len(members)))
    drawn = np.asarray([_spearman(columns[:, np.concatenate([members[unit] for unit in units])]) for units in draws])
    told = drawn[np.isfinite(drawn).all(axis=1)]
    away = told[:, 0] - told[:, 1]
    p = min(1.0, 2 * (1 + min((away <= 0).sum(), (away >= 0).sum())) / (1 + len(away))) if len(told) else None
    return Following((float(point[0]), _ends(told[:, 0])), (float(point[1]), _ends(told[:, 1])), (float(point[0] - point[1]), _ends(away)), p)


def _spearman(columns: Floats) -> Floats:
    """(2,) of the first two rows with the third; NaN where one does not vary."""
    ranks = rankdata(columns, axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(centred[:2] @ centred[2] / np.sqrt((centred[:2] ** 2).sum(axis=1) * (centred[2] ** 2).sum()))


def _ends(values: Floats) -> tuple[float, float] | None:
    if not len(values):
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return (float(low), float(high)) if low < high else None
