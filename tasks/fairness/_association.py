"""Association tests on vectors: effect size and permutation p (Caliskan et al., Science 2017)."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_SPLITS = 99_999


def associations(words: Floats, a: Floats, b: Floats) -> Floats:
    """(N,) mean cosine with A less that with B, of words (N, H), A (NA, H) and B (NB, H)."""
    words, a, b = (_unit(vectors) for vectors in (words, a, b))
    return np.asarray((words @ a.T).mean(axis=-1) - (words @ b.T).mean(axis=-1))


def effect_size(x: Floats, y: Floats) -> Floats:
    """(...,) of associations x (..., NX) and y (..., NY): the difference of means over the deviation of all (ddof 1). NaN without spread."""
    both = np.concatenate([x, y], axis=-1)
    deviation = both.std(axis=-1, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((x.mean(axis=-1) - y.mean(axis=-1)) / np.where(deviation > 0, deviation, np.nan))


def permutation_p(x: Floats, y: Floats, generator: np.random.Generator, strict: bool = False) -> float:
    """One-sided p over splits of X and Y as large as they are: the share whose difference of sums is as large (``strict``: larger).

    Exact where there are at most ``MOST_SPLITS`` splits, else so many random ones and one more, the observed.
    """
    both = np.concatenate([x, y])
    observed = x.sum() - y.sum()
    if comb(len(both), len(x)) <= MOST_SPLITS:
        chosen = np.asarray([both[list(places)].sum() for places in combinations(range(len(both)), len(x))])
        found = 2 * chosen - both.sum()
        return float(np.mean(found > observed + 1e-12 if strict else found >= observed - 1e-12))
    order = np.argsort(generator.random((MOST_SPLITS, len(both))), axis=1)[:, : len(x)]
    found = 2 * both[order].sum(axis=1) - both.sum()
    hits = int((found > observed + 1e-12).sum() if strict else (found >= observed - 1e-12).sum())
    return (hits + 1) / (MOST_SPLITS + 1)


def bootstrap_effect(x: Floats, y: Floats, generator: np.random.Generator, resamples: int = 2000) -> tuple[float, float] | None:
    """The central 95% of the effect size over resampled stimuli of X and of Y; None without spread."""
    drawn = [side[generator.integers(len(side), size=(resamples, len(side)))] for side in (x, y)]
    low, high = np.nanquantile(effect_size(*drawn), [0.025, 0.975])
    return (float(low), float(high)) if low < high else None


def _unit(vectors: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
