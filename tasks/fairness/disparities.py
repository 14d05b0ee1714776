"""Disparities: how scores of groups are compared, whatever the score (the three types of Czarnowska et al., TACL 2021)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Comparison = Literal["across", "pairwise", "background"]
"""across: the extremes of all groups; pairwise: the mean over pairs of groups; background: the mean over groups, each against the background."""
Disparity = Literal["difference", "ratio", "worst_group", "spread"]
DEFINED: dict[Comparison, tuple[Disparity, ...]] = {
    "across": ("difference", "ratio", "worst_group", "spread"),
    "pairwise": ("difference", "ratio"),
    "background": ("difference", "ratio"),
}
"""Which disparities each comparison has."""


def disparity(scores: Floats, background: Floats, comparison: Comparison, name: Disparity, larger_is_worse: bool = False) -> Floats:
    """(B,) of group scores (B, G) and, for each group, the score of its background (B, G).

    difference: of absolute differences; ratio: of the smaller over the larger, 1 where both are 0; worst_group: the score itself; spread: the
    standard deviation (ddof 0).
    """
    import numpy as np

    if comparison == "across":
        low, high = scores.min(axis=1), scores.max(axis=1)
        if name == "spread":
            return np.asarray(scores.std(axis=1))
        if name == "worst_group":
            return np.asarray(high if larger_is_worse else low)
        return _distance(low, high, name)
    if comparison == "pairwise":
        return np.asarray(np.mean([_distance(scores[:, one], scores[:, other], name) for one, other in combinations(range(scores.shape[1]), 2)], axis=0))
    return np.asarray(_distance(scores, background, name).mean(axis=1))


def _distance(one: Floats, other: Floats, name: Disparity) -> Floats:
    import numpy as np

    low, high = np.minimum(one, other), np.maximum(one, other)
    if name == "difference":
        return np.asarray(high - low)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(high == 0, 1.0, low / np.where(high == 0, 1.0, high)))
