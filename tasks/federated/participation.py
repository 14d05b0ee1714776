"""Who takes part in a federated training, and how soon it gets where it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.measures import Direction
from tasks.federated.continual_metrics import sign_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def coverage(asked: NDArray[np.int64], activity: NDArray[np.int64]) -> tuple[float, float]:
    """The share of devices, and of records, on devices asked at least once; ``asked`` and ``activity`` are (N,) times asked and records."""
    reached = asked > 0
    total = int(activity.sum())
    return float(reached.mean()) if len(asked) else 0.0, float(activity[reached].sum() / total) if total else 0.0


def participation_gini(asked: NDArray[np.int64]) -> float:
    """Inequality of how often devices were asked, those never asked included: 0 where all were asked as often, towards 1 where only one was."""
    from tasks.federated.population import gini

    return gini(asked)


def effective_cohort_size(weights: NDArray[np.float64]) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965): how many equally weighted updates would vary as little; 0 where all weights are 0."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def rounds_to_target(rounds: NDArray[np.int64], scores: NDArray[np.float64], target: float, direction: Direction) -> int | None:
    """The first checked round that scores the target or better, None where none does; checks ascend."""
    sign = sign_of(direction)
    reached = sign * scores >= sign * target
    return int(rounds[reached.argmax()]) if reached.any() else None
