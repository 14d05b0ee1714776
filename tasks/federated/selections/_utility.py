"""Oort's arithmetic, each a function of what the server has heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.federated.selections._cohorts import flattened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.federated.history import Heard


def scores(
    utility: NDArray[np.float64], last_round: NDArray[np.int64], seconds: NDArray[np.float64], now: int, preferred: float, clip: float, penalty: float
) -> NDArray[np.float64]:
    """Utility, clipped and scaled to about [0, 1], plus a bonus for staleness; lowered for devices slower than preferred.

    Args:
        utility: (K,) records times root mean squared loss.
        last_round: (K,) when each was last heard, from 1.
        seconds: (K,) how long each took then.
        now: the round, from 1.
        preferred: seconds above which a device is penalised.
        clip: quantile at which utilities are clipped.
        penalty: power of preferred over actual seconds.
    """
    if len(utility) == 0:
        return np.zeros(0)
    ranked = np.sort(utility)
    ceiling = ranked[min(int(len(ranked) * clip), len(ranked) - 1)]
    lowest = ranked[0] * 0.999
    found = (np.minimum(utility, ceiling) - lowest) / max(ranked[-1] - lowest, 1e-4) + np.sqrt(0.1 * np.log(now) / last_round)
    slow = seconds > preferred
    found[slow] *= (preferred / np.maximum(seconds[slow], 1e-4)) ** penalty
    result: NDArray[np.float64] = found
    return result


def preferred_seconds(seconds: NDArray[np.float64], percentile: float) -> float:
    """The percentile of known durations; infinite from 100 on, or where none is known."""
    known = np.sort(seconds[~np.isnan(seconds)])
    if percentile >= 100 or len(known) == 0:
        return float("inf")
    return float(known[min(int(len(known) * percentile / 100), len(known) - 1)])


def paced(rounds: Sequence[Heard], devices: int, percentile: float, step: int, delta: float) -> float:
    """The percentile after all paces so far.

    After every ``step`` rounds the utility gained by exploiting is compared with that of the ``step`` rounds before: about the same (within a
    tenth), and slower devices are admitted; higher by five times as much or more, and fewer are.
    """
    gained = exploited_utility(rounds, devices) if len(rounds) >= 2 * step else np.zeros(0)
    for end in range(2 * step, len(rounds) + 1, step):
        before, lately = float(gained[end - 2 * step : end - step].sum()), float(gained[end - step : end].sum())
        if abs(lately - before) <= 0.1 * before:
            percentile = min(100.0, percentile + delta)
        elif abs(lately - before) >= 5 * before:
            percentile = max(delta, percentile - delta)
    return percentile


def exploited_utility(rounds: Sequence[Heard], devices: int) -> NDArray[np.float64]:
    """(rounds,) mean utility of the devices that answered in a round and had answered before: those that were exploited, not explored."""
    clients, number = flattened([heard.clients for heard in rounds])
    utility = np.concatenate([heard.examples * heard.rms_loss for heard in rounds]) if len(rounds) else np.zeros(0)
    first = np.full(devices, len(rounds), dtype=np.int64)
    np.minimum.at(first, clients, number)
    again = first[clients] < number
    total = np.bincount(number[again], weights=utility[again], minlength=len(rounds))
    return total / np.maximum(1, np.bincount(number[again], minlength=len(rounds)))
