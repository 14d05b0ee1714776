"""The item interval of a utility metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.bootstrap import LEVEL, clustered_interval
from tasks.core.seeds import numpy_generator
from tasks.utility.metric import Scored


def item_interval(scored: Scored, clusters: NDArray[Any], seed: int, name: str) -> tuple[float, float] | None:
    """A clustered bootstrap; for a share that is 0 or 1, where resamples have no spread, Clopper and Pearson (1934)."""
    found = clustered_interval(scored.sums, scored.statistic, clusters, numpy_generator(seed, "bootstrap", entity=name))
    right = int(scored.sums[:, 0].sum())
    if found is None and scored.proportion and right in (0, len(scored.sums)):
        return _exact(right, len(np.unique(clusters)), len(scored.sums))
    return found


def _exact(right: int, units: int, items: int) -> tuple[float, float]:
    """Exact binomial bounds at an edge. Records of one user are one observation: they may all be alike."""
    edge = ((1 - LEVEL) / 2) ** (1 / units)
    return (edge, 1.0) if right == items else (0.0, 1.0 - edge)
