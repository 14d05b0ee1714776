"""What corrections share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.federated.selection import Cohort


def inverse(cohort: Cohort, shares: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """(m,) draws times shares over expected draws. Raises ValueError where these are not known."""
    if cohort.expected is None:
        raise ValueError(f"federation.correction: {kind} divides by expected draws, which this selection does not know ({cohort.origin}); use none")
    found: NDArray[np.float64] = cohort.draws * shares / cohort.expected
    return found


def normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that sum to 1; all 0 where they were."""
    total = float(weights.sum())
    return weights / total if total > 0 else np.zeros(len(weights))


def capped(weights: NDArray[np.float64], max_weight: float | None, cohort_size: int) -> NDArray[np.float64]:
    """No weight above ``max_weight`` / ``cohort_size``."""
    return weights if max_weight is None else np.minimum(weights, max_weight / cohort_size)
