"""Lower bounds on epsilon from a privacy audit's scores: one training run, Gaussian trade-offs, thresholds of independent scores.

Under the assumptions that it names, a bound is at most the truth with probability ``confidence``. It comes with its ceiling: the bound that
the same design reaches when no guess is wrong. Scores are finite and larger for members. Tied scores are decided against the auditor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FRACTIONS = (0.1, 0.25, 0.5)
"""Shares of the canaries that a one-run audit guesses, each at a third of the allowed error.

The best share rises with the leak and falls with the number of canaries. On N(mu, 1) against N(0, 1), mu 0.5 to 3, 200 to 5,000 canaries,
these three kept 93% of what the best of eleven grids gave, in the f-DP form 87%, and never less than 82%; every other grid fell below 77%.
"""
THRESHOLDS = 5
DEEPEST = 0.4
"""The thresholds of one side lie at ranks from the highest score down to this share of the pool, in geometric steps, each at its part of the error.

On normal scores as above, 100 to 2,500 in each pool, this kept 97% of what the best of eighteen choices gave and never less than 91%.
"""
SPLITS = 256
"""Ways to split a threshold's error between its two rates. Fewer are valid and looser."""


@dataclass(frozen=True)
class LowerBound:
    """What an audit proves.

    Attributes:
        epsilon: at the given confidence the mechanism is not (epsilon', delta)-DP for any epsilon' below it; 0 where nothing is proved.
        ceiling: the same bound, had every guess been right.
        guesses: guesses of the share or threshold that gave the bound.
        right: how many of them are right, ties counted as wrong.
        mu: the Gaussian trade-off behind ``epsilon``, where the bound is about one.
    """

    epsilon: float
    ceiling: float
    guesses: int
    right: int
    mu: float | None = None


def epsilon_of_gaussian(mu: float, delta: float) -> float:
    """The least epsilon of a mechanism whose trade-off function is that of N(0, 1) against N(mu, 1); infinite at delta 0.

    Solves delta = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu) (Balle and Wang 2018, theorem 8).
    """
    if mu <= 0 or delta >= 1:
        return 0.0
    if delta <= 0:
        return math.inf

    def excess(epsilon: float) -> float:
        above, below = special.log_ndtr(mu / 2 - epsilon / mu), epsilon + special.log_ndtr(-mu / 2 - epsilon / mu)
        return float(above + np.log(-np.expm1(min(below - above, -1e-300))) - np.log(delta))

    highest = mu * (mu / 2 - float(special.ndtri(delta)))  # where the first term alone is delta
    if highest <= 0 or special.ndtr(mu / 2) - special.ndtr(-mu / 2) <= delta:
        return 0.0
    return float(optimize.brentq(excess, 0.0, highest, xtol=1e-12))


def one_run_p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """How probable it is at most that ``right`` or more of ``guesses`` are right, where the mechanism is (epsilon, delta)-DP.

    P[B >= w] + 2 m delta max_i (P[B >= w - i] - P[B >= w]) / i for B ~ Binomial(r, e^epsilon / (1 + e^epsilon)), i from 1 to w
    (Steinke, Nasr and Jagielski 2023).
    """
    counts = np.arange(1, right + 1)
    tails = np.append(1.0, special.betainc(counts, guesses - counts + 1, special.expit(epsilon)))  # P[B >= t] of t from 0
    excess = (tails[-2::-1] - tails[-1]) / counts
    return float(min(1.0, tails[-1] + 2 * canaries * delta * np.max(excess, initial=0.0)))


def gaussian_is_rejected(canaries: int, guesses: int, right: int, mu: float, significance: float) -> bool:
    """Whether ``right`` or more right guesses are rarer than ``significance`` for every mechanism that is ``mu``-GDP.

    With p_t the probability of t right guesses, such a mechanism has sum_{t>=k} t p_t / m <= F(sum_{t>=k-1} (r - t) p_t / m) for every k and
    F(x) = Phi(Phi^-1(x) + mu). From a tail of ``significance`` at ``right`` the least p_t below are built up; where they make the whole more
    than certain, no such mechanism exists (Mahloujifar, Melis and Chaudhuri 2024).
    """
    hits, misses = significance * right / canaries, significance * (guesses - right) / canaries
    certain = guesses / canaries
    for count in range(right - 1, -1, -1):
        needed = float(special.ndtr(special.ndtri(hits) - mu))
        if needed <= misses:
            break
        hits += count / (guesses - count) * (needed - misses)
        misses = needed
        if hits + misses >= certain:
            break
    return hits + misses >= certain


def one_run_bound(scores: Floats, member: Bools, delta: float, confidence: float, fractions: Sequence[float] = FRACTIONS) -> LowerBound:
    """Epsilon from one run in which a fair coin of its own decided on each canary (Steinke, Nasr and Jagielski 2023, arXiv 2305.08846).

    The highest r/2 scores are guessed to be members and the lowest r/2 not. Valid for every mechanism, adjacency add/remove, and for scores
    that depend on each other.

    Args:
        scores: (m,) larger means member.
        member: (m,) bool, the coins.
        delta: of the guarantee under test, 0 allowed.
        confidence: of the bound, all fractions together.
        fractions: r / m, fixed before the scores are seen; each pays its part of the error.
    """

    def rejected(guesses: int, right: int, epsilon: float, significance: float) -> bool:
        return one_run_p_value(len(scores), guesses, right, epsilon, delta) <= significance

    made = _guesses(scores, member, fractions)
    epsilon, guesses, right = _searched(made, 1 - confidence, rejected)
    ceiling, _, _ = _searched([(most, most) for most, _ in made], 1 - confidence, rejected)
    return LowerBound(epsilon, ceiling, guesses, right)


def one_run_fdp_bound(scores: Floats, member: Bools, delta: float, confidence: float, fractions: Sequence[float] = FRACTIONS) -> LowerBound:
    """Epsilon at ``delta`` of the largest mu that one run rules out (Mahloujifar, Melis and Chaudhuri 2024, arXiv 2410.22235).

    Design and arguments are those of ``one_run_bound``, and delta is above 0. ``mu`` is a bound for every mechanism: none that is mu-GDP does
    this. ``epsilon`` follows only where the trade-off function is Gaussian. Raises ValueError at delta 0, where such an epsilon is infinite.
    """
    _refuse_pure(delta)

    def rejected(guesses: int, right: int, mu: float, significance: float) -> bool:
        return gaussian_is_rejected(len(scores), guesses, right, mu, significance)

    made = _guesses(scores, member, fractions)
    mu, guesses, right = _searched(made, 1 - confidence, rejected)
    ceiling, _, _ = _searched([(most, most) for most, _ in made], 1 - confidence, rejected)
    return LowerBound(epsilon_of_gaussian(mu, delta), epsilon_of_gaussian(ceiling, delta), guesses, right, mu)


def gdp_bound(scores: Floats, member: Bools, delta: float, confidence: float) -> LowerBound:
    """Epsilon at ``delta`` of mu_low = max over thresholds of Phi^-1(TPR) - Phi^-1(FPR), at the worst rates that the scores allow.

    Valid only for independent scores, one per run, or else an assumption to be named with the bound: canaries of one run share its noise.
    ``mu`` is then a bound for every mechanism, ``epsilon`` only where the trade-off function is Gaussian. Arguments as in
    ``clopper_pearson_bound``, delta above 0; raises ValueError at delta 0, where such an epsilon is infinite.
    """
    _refuse_pure(delta)
    inside, outside = scores[member], scores[~member]
    side = _Side.of(inside, outside)
    if not side.ranks.size:
        return LowerBound(0.0, 0.0, 0, 0, 0.0)
    significance = (1 - confidence) / len(side.ranks)

    def proved(found: NDArray[np.int64]) -> Floats:
        low, high = side.rates(found, significance)
        return np.asarray(np.min(special.ndtri(low) - special.ndtri(high), axis=1))

    mus = proved(side.found)
    best = int(np.argmax(mus))
    mu, ceiling = (max(0.0, float(np.max(values))) for values in (mus, proved(side.all_found)))
    return LowerBound(epsilon_of_gaussian(mu, delta), epsilon_of_gaussian(ceiling, delta), len(scores), int(side.right[best]), mu)


def clopper_pearson_bound(scores: Floats, member: Bools, delta: float, confidence: float) -> LowerBound:
    """Largest ln((TPR - delta) / FPR) or ln((TNR - delta) / FNR) over thresholds, at the worst rates that the scores allow.

    Valid for every mechanism and independent scores: one per run, or else an assumption to be named with the bound (Nasr et al. 2021,
    arXiv 2101.04535). The thresholds are order statistics of one pool, at ranks fixed ahead, so they cost their number and not a split.

    Args:
        scores: (N,) larger means member.
        member: (N,) bool.
        delta: of the guarantee under test, 0 allowed.
        confidence: of the bound, all thresholds together.
    """
    inside, outside = scores[member], scores[~member]
    sides = [side for side in (_Side.of(inside, outside), _Side.of(-outside, -inside)) if side.ranks.size]
    if not sides:
        return LowerBound(0.0, 0.0, 0, 0)
    significance = (1 - confidence) / sum(len(side.ranks) for side in sides)

    def proved(side: _Side, found: NDArray[np.int64]) -> Floats:
        low, high = side.rates(found, significance)
        return np.asarray(np.min(np.maximum(low - delta, 0.0) / high, axis=1))

    ratios = np.concatenate([proved(side, side.found) for side in sides])
    ceiling = max(float(np.max(proved(side, side.all_found))) for side in sides)
    right = np.concatenate([side.right for side in sides])[int(np.argmax(ratios))]
    return LowerBound(math.log(max(1.0, float(np.max(ratios)))), math.log(max(1.0, ceiling)), len(scores), int(right))


@dataclass(frozen=True)
class _Side:
    """Thresholds at order statistics of one pool, and how much of the other pool lies beyond each, ties left out.

    The share of the pool's law beyond its own j-th highest of n scores is at most Beta(j, n - j + 1), exactly so without ties; given the
    threshold, the other pool's count beyond it is binomial. So both rates have exact bounds, independent of each other.
    """

    ranks: NDArray[np.int64]
    found: NDArray[np.int64]
    above: int
    below: int

    @staticmethod
    def of(above: Floats, below: Floats) -> _Side:
        """``above`` is the pool that should lie beyond the thresholds, which are taken from ``below``. No ranks where one is empty."""
        if not len(above) or not len(below):
            return _Side(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), len(above), len(below))
        ranks = np.unique(np.round(np.geomspace(1, max(1.0, DEEPEST * len(below)), THRESHOLDS)).astype(np.int64))
        thresholds = np.sort(below)[::-1][ranks - 1]
        found = len(above) - np.searchsorted(np.sort(above), thresholds, side="right")
        return _Side(ranks, found.astype(np.int64), len(above), len(below))

    @property
    def all_found(self) -> NDArray[np.int64]:
        return np.full(len(self.ranks), self.above)

    @property
    def right(self) -> NDArray[np.int64]:
        return np.asarray(self.found + self.below - self.ranks + 1)

    def rates(self, found: NDArray[np.int64], significance: float) -> tuple[Floats, Floats]:
        """Lowest true and highest false positive rates, each (thresholds, splits): the true pair is above one of them or better.

        The Clopper-Pearson p-values of the two rates are independent, so their product is below c with probability c (1 - ln c) at most
        (Fisher's combination). Each split takes false rates whose p-value is in one interval [u, v] and true rates whose own is above c / v.
        """
        least = math.exp(-float(stats.chi2.isf(significance, 4)) / 2)
        splits = np.geomspace(least, 1.0, SPLITS + 1)
        counts, ranks = found[:, None], self.ranks[:, None]
        high = special.betainccinv(ranks, self.below - ranks + 1, splits[:-1])
        low = np.where(counts > 0, special.betaincinv(np.maximum(counts, 1), self.above - np.maximum(counts, 1) + 1, least / splits[1:]), 0.0)
        return low, high


def _refuse_pure(delta: float) -> None:
    if delta <= 0:
        raise ValueError("a Gaussian trade-off function has no finite epsilon at delta 0: give the delta of the guarantee")


def _guesses(scores: Floats, member: Bools, fractions: Sequence[float]) -> list[tuple[int, int]]:
    """Guesses and right ones of each fraction that allows two guesses; of tied scores the wrong ones are guessed first."""
    members = member[np.lexsort((member, -scores))]
    others = ~member[np.lexsort((~member, scores))]
    halves = sorted({int(fraction * len(scores) / 2) for fraction in fractions} - {0})
    return [(2 * half, int(members[:half].sum() + others[:half].sum())) for half in halves]


def _searched(made: list[tuple[int, int]], significance: float, rejected: Callable[[int, int, float, float], bool]) -> tuple[float, int, int]:
    """The largest parameter that one of the guesses rejects at its part of the error, and those guesses; 0 and the most guesses if none does."""
    if not made:
        return 0.0, 0, 0
    guesses, right = max(made)

    def beaten(value: float) -> tuple[int, int] | None:
        return next(((most, correct) for most, correct in made if rejected(most, correct, value, significance / len(made))), None)

    low, high = 0.0, 1.0
    if beaten(low) is None:
        return 0.0, guesses, right
    while beaten(high) is not None:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if beaten(middle) is None else (middle, high)
    guesses, right = beaten(low) or (guesses, right)
    return low, guesses, right
