"""Metrics of learning from windows: what is left of earlier ones, and how soon a model has caught up.

R[t, j], (W, W), is the score on window j's test records at the end of window t. Differences are signed so that they mean the same for scores
of which higher and of which lower is better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.measures import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def sign_of(direction: Direction) -> int:
    """1 where higher is better, -1 where lower is. Raises ValueError where neither is."""
    if direction == "none":
        raise ValueError("a score of which neither higher nor lower is better cannot be forgotten or reached")
    return 1 if direction == "higher" else -1


def average_performance(matrix: NDArray[np.float64]) -> float:
    """Mean over windows of the score at the end."""
    return float(_checked(matrix, 1)[-1].mean())


def forgetting(matrix: NDArray[np.float64], direction: Direction) -> float:
    """Mean over earlier windows of their best score before the end, less that at the end: above 0 where something was forgotten
    (Chaudhry et al., ECCV 2018)."""
    scores = _checked(matrix, 2) * sign_of(direction)
    return float((scores[:-1, :-1].max(axis=0) - scores[-1, :-1]).mean())


def backward_transfer(matrix: NDArray[np.float64], direction: Direction) -> float:
    """Mean over earlier windows of how much better they score at the end than right after their own training: below 0 where later windows
    did harm (Lopez-Paz and Ranzato, NeurIPS 2017)."""
    scores = _checked(matrix, 2) * sign_of(direction)
    return float((scores[-1, :-1] - scores.diagonal()[:-1]).mean())


def forward_transfer(matrix: NDArray[np.float64], initial: NDArray[np.float64], direction: Direction) -> float:
    """Mean over later windows of how much better they score right before their own training than by the initial model, whose (W,) scores are
    ``initial`` (Lopez-Paz and Ranzato, NeurIPS 2017)."""
    scores, sign = _checked(matrix, 2), sign_of(direction)
    if len(initial) != len(scores):
        raise ValueError(f"there must be an initial score per window (got {len(initial)} for {len(scores)})")
    return float((scores.diagonal(1) - initial[1:]).mean()) * sign


def area_under_curve(rounds: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Mean score over rounds, straight lines between checks: checks that lie close together, as at the end of a window, do not count more."""
    import numpy as np

    if not len(rounds):
        raise ValueError("there is no check to take a mean of")
    span = float(rounds[-1] - rounds[0])
    return float(np.trapezoid(scores, rounds)) / span if span else float(scores[-1])


def rounds_to_catch_up(
    rounds: NDArray[np.int64],
    own: NDArray[np.float64],
    reference: NDArray[np.float64],
    start: int,
    margin: float,
    hold: int,
    direction: Direction,
) -> int | None:
    """The first checked round, from ``start`` on, at which the score is at most ``margin`` worse than the reference's at the same round, at that
    check and at the next ``hold`` - 1; None where there is none. All three arrays are over the same checks, ascending.

    A check at ``start`` counts: a model that never fell behind has caught up there.
    """
    import numpy as np

    sign = sign_of(direction)
    later = rounds >= start
    level = (sign * own >= sign * reference - margin)[later]  # what is not a number is not level
    if len(level) < hold:
        return None
    held = np.lib.stride_tricks.sliding_window_view(level, hold).all(axis=1)
    return int(rounds[later][held.argmax()]) if held.any() else None


def _checked(matrix: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < least:
        raise ValueError(f"scores must be a square of at least {least} windows (got {' x '.join(map(str, matrix.shape))})")
    return matrix
