"""Inclusion rates in proportion to activity, capped at 1, and two designs that have exactly them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.federated.selection import View
from tasks.federated.selections._cohorts import ready

if TYPE_CHECKING:
    from numpy.typing import NDArray


def activity_weights(view: View, alpha: float, activity_cap: int | None = None) -> NDArray[np.float64]:
    """(N,) activity, clipped at the cap, to the power alpha; 0 for who cannot be drawn."""
    can = ready(view)
    activity = view.activity if activity_cap is None else np.minimum(view.activity, activity_cap)
    weights = _power(activity, alpha)
    if not can.all():
        weights[~can] = 0.0
    return weights


def _power(activity: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """n to the alpha. A table of powers is quicker than a power per device, where the largest activity allows one."""
    if alpha == 0:
        return np.ones(len(activity))
    if alpha == 1:
        return activity.astype(np.float64)
    highest = int(activity.max(initial=0))
    if highest > len(activity):
        return np.maximum(activity, 0).astype(np.float64) ** alpha
    powers = np.arange(highest + 1, dtype=np.float64) ** alpha
    return powers[activity]


def capped_rates(weights: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """(N,) min(1, c w) with the c for which they sum to ``total``; all positive weights get 1 where there are no more than that.

    Each pass gives 1 to those above 1 and shares what is left among the others; as it only ever raises c, the first pass that caps nobody
    new is the solution. Nearly always two or three passes: at most ``total`` devices can be capped.
    """
    if np.count_nonzero(weights) <= total:
        return (weights > 0).astype(np.float64)
    rates: NDArray[np.float64] = weights * (total / float(weights.sum()))
    certain = np.flatnonzero(rates >= 1)
    while len(certain):
        rates[certain] = 0.0
        # max: where the weights differ by more than a float can tell apart, the small ones keep a rate above 0.
        rates *= max(1.0, (total - len(certain)) / float(rates.sum()))
        more = np.flatnonzero(rates >= 1)
        rates[certain] = 1.0
        if not len(more):
            break
        certain = np.flatnonzero(rates >= 1)
    return rates


def poisson(rates: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """One coin per device, whoever is available: the coin of a device in a round does not depend on the others."""
    return np.flatnonzero(generator.random(len(rates)) < rates)


def systematic(rates: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Systematic sampling over a random order: the rates on a line, points one apart from a uniform start.

    Its size is the sum of the rates, which is a whole number; each device's inclusion probability is its rate.
    """
    certain = np.flatnonzero(rates >= 1)
    left = np.flatnonzero((rates > 0) & (rates < 1)).astype(np.int32 if len(rates) < 2**31 else np.int64)
    count = round(float(rates[left].sum()))
    if count == 0:
        return certain
    generator.shuffle(left)
    line = np.cumsum(rates[left])
    # Rounding leaves the line a trifle longer or shorter than the count: the points follow its real length.
    points = np.minimum((generator.random() + np.arange(count)) * (line[-1] / count), np.nextafter(line[-1], 0))
    return np.unique(np.concatenate([certain, left[np.searchsorted(line, points, side="right")]]))


def proportional(weights: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` draws with replacement in proportion to the weights; none where all weights are 0."""
    line = np.cumsum(weights)
    if len(line) == 0 or line[-1] == 0:
        return np.zeros(0, dtype=np.int64)
    drawn: NDArray[np.int64] = np.searchsorted(line, generator.random(count) * line[-1], side="right").astype(np.int64)
    return drawn
