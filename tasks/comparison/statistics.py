"""Statistics over runs: t intervals, one-sided tests of margins, Holm's correction. The unit is the seed; arms are paired by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
ALPHA = (1 - LEVEL) / 2
"""One-sided, so that a single test agrees with the two-sided 95% interval."""
FEWEST_SEEDS = 5
"""Below this a comparison is descriptive: it has no p."""


@dataclass(frozen=True)
class Summary:
    """Mean over runs with its t interval; no interval for one run. ``spread`` is the standard error."""

    mean: float
    low: float | None
    high: float | None
    n: int
    spread: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean and 95% t interval (Student 1908) of independent runs."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Summary(mean, None, None, n, 0.0)
    from scipy import stats

    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    if error <= 1e-12 * max(1.0, abs(mean)):  # rounding, not spread
        return Summary(mean, mean, mean, n, 0.0)
    reach = float(stats.t.ppf(1 - ALPHA, n - 1)) * error
    return Summary(mean, mean - reach, mean + reach, n, error)


def p_above(found: Summary, bound: float) -> float:
    """One-sided p of 'the mean lies above the bound' against 'it does not' (one-sample t). Needs spread."""
    from scipy import stats

    return float(stats.t.sf((found.mean - bound) / found.spread, found.n - 1))


def p_below(found: Summary, bound: float) -> float:
    """One-sided p of 'the mean lies below the bound'."""
    return p_above(Summary(-found.mean, None, None, found.n, found.spread), -bound)


def p_within(found: Summary, margin: float) -> float:
    """p of 'the mean lies within the margin of zero': two one-sided tests (Schuirmann 1987)."""
    return max(p_above(found, -margin), p_below(found, margin))
