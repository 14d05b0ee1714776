"""Correlation coefficients over models: values, intervals, permutation tests and what a number of models can show. Numpy alone."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from tasks.comparison.correlation import Method
from tasks.core.seeds import numpy_generator

Floats = NDArray[np.float64]

LEVEL, POWER = 0.95, 0.8
MOST_EXACT = 8
"""Up to so many models every permutation is gone through: 40,320 of them."""
CHUNK = 200_000
"""The most signs of pairs that are held at once."""
ALIKE = 1e-10
"""Coefficients that differ by less are one: rounding must not turn a tie into a rarer result."""


def coefficients(method: Method, x: Floats, y: Floats) -> Floats:
    """(B, n) and (B, n) to (B,): Pearson's r, Spearman's rho with mean ranks, or Kendall's tau-b, row by row; NaN where x or y is constant."""
    if method == "kendall":
        return _kendall(x, y)
    if method == "spearman":
        from scipy import stats

        x, y = stats.rankdata(x, axis=1), stats.rankdata(y, axis=1)
    return _pearson(x, y)


def coefficient(method: Method, x: Floats, y: Floats) -> float:
    """Of (n,) and (n,)."""
    return float(coefficients(method, x[None], y[None])[0])


def _pearson(x: Floats, y: Floats) -> Floats:
    lengths = []
    for values in (x, y):
        centred = values - values.mean(axis=1, keepdims=True)
        length = np.sqrt((centred**2).sum(axis=1))
        length[length <= 1e-12 * np.sqrt(values.shape[1]) * np.abs(values).max(axis=1)] = np.nan
        lengths.append(centred / length[:, None])
    found: Floats = np.clip((lengths[0] * lengths[1]).sum(axis=1), -1.0, 1.0)
    return found


def _kendall(x: Floats, y: Floats) -> Floats:
    first, second = np.triu_indices(x.shape[1], 1)
    rows = max(1, CHUNK // max(1, len(first)))
    found = []
    for start in range(0, len(x), rows):
        across, up = (np.sign(values[start : start + rows, first] - values[start : start + rows, second]) for values in (x, y))
        untied = np.sqrt((across**2).sum(axis=1) * (up**2).sum(axis=1))
        untied[untied == 0] = np.nan
        found.append((across * up).sum(axis=1) / untied)
    return np.concatenate(found)


def _kendall_of_orders(x: Floats, y: Floats, order: NDArray[np.int64]) -> Floats:
    """Tau-b of x and y in each order: the signs of y's pairs are looked up, not computed anew."""
    n = len(x)
    first, second = np.triu_indices(n, 1)
    across, signs = np.sign(x[first] - x[second]).astype(np.float32), np.sign(y[:, None] - y).astype(np.float32).ravel()
    rows = max(1, CHUNK // len(first))
    sums = [signs[part[:, first] * n + part[:, second]] @ across for part in (order[start : start + rows] for start in range(0, len(order), rows))]
    untied = math.sqrt(float((across**2).sum()) * float((signs**2).sum()) / 2)
    return np.concatenate(sums).astype(np.float64) / untied


@lru_cache(maxsize=4)
def orders(n: int, draws: int) -> tuple[NDArray[np.int64], bool]:
    """(P, n) orders of n models, and whether these are all there are; else ``draws`` of them, the same at each call."""
    if n <= MOST_EXACT:
        return np.array(list(permutations(range(n))), dtype=np.int64), True
    return numpy_generator(0, "permutation", n).permuted(np.tile(np.arange(n), (draws, 1)), axis=1), False


def permutation_p(method: Method, x: Floats, y: Floats, draws: int) -> tuple[float, bool]:
    """Two-sided p of 'the models' values of y have nothing to do with those of x', and whether it is exact.

    Of drawn permutations the one that was observed counts as another draw (Phipson and Smyth 2010), so that p is never 0.
    """
    order, exact = orders(len(x), draws)
    if method == "spearman":  # ranks are the same in every order
        from scipy import stats

        method, x, y = "pearson", stats.rankdata(x), stats.rankdata(y)
    observed = abs(coefficient(method, x, y))
    drawn = _kendall_of_orders(x, y, order) if method == "kendall" else coefficients(method, np.broadcast_to(x, order.shape), y[order])
    hits = int((np.abs(drawn) >= observed - ALIKE).sum())
    return (hits / len(order), True) if exact else ((hits + 1) / (len(order) + 1), False)


def standard_error(method: Method, r: float, n: int) -> float:
    """Of Fisher's z of a coefficient: 1/sqrt(n - 3); Bonett and Wright 2000 for Spearman's; Fieller et al. 1957 for Kendall's."""
    if method == "kendall":
        return math.sqrt(0.437 / (n - 4))
    return math.sqrt((1 + (r * r / 2 if method == "spearman" else 0)) / (n - 3))


def interval(method: Method, r: float, n: int) -> tuple[float, float]:
    """95% interval over n > 4 models by Fisher's z.

    Of ranks in perfect order z is infinite, though other models might well be ordered less perfectly: the interval then ends at 1 and begins as
    that of a coefficient halfway to the next smaller one.
    """
    if abs(r) >= 1 - ALIKE and method == "pearson":
        return math.copysign(1.0, r), math.copysign(1.0, r)
    step = 6 / (n * (n * n - 1)) if method == "spearman" else 2 / (n * (n - 1))
    inner = r if method == "pearson" else max(-1 + step, min(1 - step, r))
    reach = _normal(1 - (1 - LEVEL) / 2) * standard_error(method, inner, n)
    low, high = math.tanh(math.atanh(inner) - reach), math.tanh(math.atanh(inner) + reach)
    return (low, 1.0) if r >= 1 - ALIKE else (-1.0, high) if r <= ALIKE - 1 else (low, high)


def bca(method: Method, x: Floats, y: Floats, draws: int, entity: str) -> tuple[float, float] | None:
    """95% bias-corrected and accelerated bootstrap interval over models (Efron 1987); None where resamples or the jackknife have no spread.

    Of few models resamples are mostly repeats, in which any coefficient is near 1: use it from 10 models on.
    """
    n, observed = len(x), coefficient(method, x, y)
    drawn = numpy_generator(0, "bootstrap", n, entity).integers(n, size=(draws, n))
    found = coefficients(method, x[drawn], y[drawn])
    found = found[np.isfinite(found)]
    kept = np.array([[other for other in range(n) if other != left] for left in range(n)])
    jack = coefficients(method, x[kept], y[kept])
    around = jack.mean() - jack
    spread = float((around**2).sum())
    below = float(((found < observed - ALIKE).sum() + (found <= observed + ALIKE).sum()) / 2 / max(1, len(found)))
    if not np.isfinite(jack).all() or spread <= ALIKE**2 or not 0 < below < 1:
        return None
    bias, acceleration = _normal(below), float((around**3).sum()) / (6 * spread**1.5)
    ends = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        moved = bias + _normal(tail)
        ends.append(_below(bias + moved / (1 - acceleration * moved)))
    low, high = np.quantile(found, ends)
    return (float(low), float(high)) if low < high else None


def change(method: Method, before: tuple[Floats, Floats], after: tuple[Floats, Floats], draws: int, entity: str, many: int = 1) -> tuple[float, float] | None:
    """Percentile bootstrap interval over models of the coefficient of ``after`` less that of ``before``; both draw the same models.

    Of ``many`` such intervals all hold the truth with 95% (Bonferroni).
    """
    n = len(before[0])
    drawn = numpy_generator(0, "change", n, entity).integers(n, size=(draws, n))
    found = coefficients(method, after[0][drawn], after[1][drawn]) - coefficients(method, before[0][drawn], before[1][drawn])
    found = found[np.isfinite(found)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / many / 2, 1 - (1 - LEVEL) / many / 2])
    return (float(low), float(high)) if low < high else None


@lru_cache
def smallest_significant(method: Method, n: int) -> float:
    """The smallest size of a coefficient over n > 2 models that differs from 0 at two-sided 0.05, one test, no ties.

    Pearson's, and Spearman's of many models, from Student's t; Kendall's of many models from its normal approximation; ranks of few models exactly.
    """
    if method != "pearson" and n <= MOST_EXACT:
        places = np.arange(n, dtype=float)
        order, _ = orders(n, 0)
        sizes = np.sort(np.abs(coefficients(method, np.broadcast_to(places, order.shape), places[order])))
        values = sizes[len(sizes) - np.searchsorted(sizes, sizes - ALIKE) <= (1 - LEVEL) * len(sizes)]
        return float(values.min()) if len(values) else 1.0
    if method == "kendall":
        return _normal(1 - (1 - LEVEL) / 2) * math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
    from scipy import stats

    t = float(stats.t.ppf(1 - (1 - LEVEL) / 2, n - 2))
    return t / math.sqrt(n - 2 + t * t)


@lru_cache
def detectable(method: Method, n: int) -> float:
    """The true size of a coefficient that 80% of studies of n models would find: Fisher's z of the smallest significant one and a power's reach beyond."""
    least = smallest_significant(method, n)
    return 1.0 if least >= 1 - ALIKE else math.tanh(math.atanh(least) + _normal(POWER) * standard_error(method, least, n))


def _normal(share: float) -> float:
    from scipy import special

    return float(special.ndtri(share))


def _below(z: float) -> float:
    from scipy import special

    return float(special.ndtr(z))
