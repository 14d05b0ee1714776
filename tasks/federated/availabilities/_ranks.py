"""Ranks by activity in [0, 1], ties at their middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def relative_ranks(activity: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) share of the other devices that are less active, those as active counted by half: 0 for the least active, 1 for the most."""
    if len(activity) < 2:
        return np.full(len(activity), 0.5)
    values = activity
    if int(activity.min()) < 0 or int(activity.max()) > 8 * len(activity):  # counting would take more than sorting
        values = np.unique(activity, return_inverse=True)[1]
    counts = np.bincount(values)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - counts + (counts - 1) / 2) / (len(activity) - 1)
    return ranks[values]
