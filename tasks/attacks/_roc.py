"""ROC statistics of an attack with joint intervals: members and non-members are resampled apart, users whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tasks.core.bootstrap import LEVEL, RESAMPLES, Interval

Floats = NDArray[np.float64]
CHUNK = 2_000_000
"""The most weights held at once."""
OUT_OF_FOLD = 2**0.5
"""How much wider the blind AUC spreads than a bootstrap of its scores shows, where the pools are alike.

Each score was fitted on the other records' membership, so a pair of like records counts in the score of both: the AUC is a degenerate
quadratic form of the coins, whose variance is twice the one at fixed scores. Where the pools differ this is too wide, never too narrow.
"""


class Ranking:
    """Records in the order of a score. Ties count as one place.

    Args:
        scores: (N,), larger means member.
        member: (N,) bool.
    """

    def __init__(self, scores: Floats, member: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._member = member[self._order]

    def _shares(self, weights: Floats) -> tuple[Floats, Floats]:
        """True and false positive rates (B, places) at every threshold, of weights (B, N) per record."""
        ordered = weights[:, self._order]
        found = []
        for chosen in (self._member, ~self._member):
            sums = np.cumsum(np.add.reduceat(ordered * chosen, self._starts, axis=1), axis=1)
            found.append(sums / sums[:, -1:])
        return found[0], found[1]

    def auc(self, weights: Floats) -> Floats:
        """(B,) probability that a member's score is above a non-member's, a tie counting half (Hanley and McNeil 1982)."""
        true, false = self._shares(weights)
        zero = np.zeros((len(weights), 1))
        width = np.diff(np.hstack([zero, false]), axis=1)
        height = np.hstack([zero, true])
        return np.asarray(np.sum(width * (height[:, 1:] + height[:, :-1]) / 2, axis=1))

    def tpr_at(self, weights: Floats, fpr: float) -> Floats:
        """(B,) the highest true positive rate at a threshold whose false positive rate is at most ``fpr``."""
        true, false = self._shares(weights)
        allowed = np.sum(false <= fpr + 1e-12, axis=1)
        padded = np.hstack([np.zeros((len(weights), 1)), true])
        return np.asarray(padded[np.arange(len(weights)), allowed])


def statistics(rankings: Mapping[str, Ranking], weights: Floats, rates: Mapping[str, float]) -> dict[str, Floats]:
    """AUC of the attack and of the blind baseline, their difference, and the attack's TPRs, each (B,)."""
    attack, blind = rankings["attack"], rankings["blind"]
    found = {"auc": attack.auc(weights), "blind_auc": blind.auc(weights)}
    found["auc_above_blind"] = found["auc"] - found["blind_auc"]
    return found | {name: attack.tpr_at(weights, rate) for name, rate in rates.items()}


def intervals(
    rankings: Mapping[str, Ranking], member: NDArray[np.bool_], clusters: NDArray[np.str_], rates: Mapping[str, float], generator: np.random.Generator
) -> dict[str, Interval]:
    """Every statistic with a percentile bootstrap over clusters, members and non-members apart (Davison and Hinkley 1997, 3.8)."""
    points = statistics(rankings, np.ones((1, len(member))), rates)
    drawn: dict[str, list[Floats]] = {name: [] for name in points}
    size = max(1, CHUNK // len(member))
    for start in range(0, RESAMPLES, size):
        weights = _resampled(member, clusters, min(size, RESAMPLES - start), generator)
        for name, values in statistics(rankings, weights, rates).items():
            drawn[name].append(values)
    found = {}
    resampled = _widened({name: np.concatenate(values) for name, values in drawn.items()}, float(points["blind_auc"][0]))
    for name, point in points.items():
        low, high = np.quantile(resampled[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        value, spread = float(point[0]), low < high
        found[name] = Interval(value, min(float(low), value) if spread else None, max(float(high), value) if spread else None)
    return found


def _widened(drawn: dict[str, Floats], blind: float) -> dict[str, Floats]:
    """Resamples in which the blind AUC is as far from its value as it would be had the pools been drawn anew."""
    blinds = np.clip(blind + OUT_OF_FOLD * (drawn["blind_auc"] - blind), 0.0, 1.0)
    return drawn | {"blind_auc": blinds, "auc_above_blind": drawn["auc"] - blinds}


def _resampled(member: NDArray[np.bool_], clusters: NDArray[np.str_], size: int, generator: np.random.Generator) -> Floats:
    """(size, N) how often each record is drawn."""
    weights = np.zeros((size, len(member)))
    for pool in (member, ~member):
        _, unit = np.unique(clusters[pool], return_inverse=True)
        units = int(unit.max()) + 1
        drawn = generator.integers(units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        weights[:, pool] = counts[:, unit]
    return weights
