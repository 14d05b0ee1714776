"""The contextualized embedding association test: effect sizes of random contexts, pooled by a random-effects model (Guo and Caliskan, AIES 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.fairness._association import effect_size

Floats = NDArray[np.float64]
CHUNK = 200
"""Draws whose vectors are held at once."""


@dataclass(frozen=True)
class Pooled:
    """A combined effect size with its standard error, and the variance between contexts."""

    value: float
    error: float
    between: float


def pooled(effects: Floats, variances: Floats) -> Pooled:
    """Random-effects pooling (DerSimonian and Laird 1986) of effects (N,) with variances (N,)."""
    weights = 1.0 / variances
    mean = (weights * effects).sum() / weights.sum()
    spread = (weights * (effects - mean) ** 2).sum()
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    between = max(0.0, (spread - (len(effects) - 1)) / scale) if scale > 0 else 0.0
    inverse = 1.0 / (variances + between)
    return Pooled(float((inverse * effects).sum() / inverse.sum()), math.sqrt(1.0 / inverse.sum()), float(between))


def p_value(found: Pooled, side: Literal["two", "one"]) -> float:
    """Of the combined effect size: two-tailed as the paper, or one-sided and signed as its code."""
    ratio = found.value / found.error
    return math.erfc(abs(ratio) / math.sqrt(2)) if side == "two" else 0.5 * math.erfc(ratio / math.sqrt(2))


def draws(
    lists: Sequence[Sequence[Floats]], count: int, generator: np.random.Generator, replace: bool, progress: Callable[[float, float, str], None] | None = None
) -> tuple[Floats, Floats, Floats]:
    """Effect sizes (N,), the paper's variances (N,) and Hedges' (N,), of ``count`` draws of one context for each stimulus.

    Args:
        lists: X, Y, A and B; each stimulus is its contexts' vectors (C, H).
        count: draws.
        generator: decides the contexts.
        replace: whether a stimulus with enough contexts may give one twice over the draws.
        progress: told how far it is.
    """
    n_x, n_y, n_a, n_b = (len(words) for words in lists)
    stimuli = [contexts for words in lists for contexts in words]
    chosen = [_places(len(contexts), count, generator, replace) for contexts in stimuli]
    units = [_units(contexts) for contexts in stimuli]
    effects, variances = np.empty(count), np.empty(count)
    for start in range(0, count, CHUNK):
        part = slice(start, min(count, start + CHUNK))
        rows = [unit[places[part]] for unit, places in zip(units[n_x + n_y :], chosen[n_x + n_y :], strict=True)]
        towards = np.add.reduce(rows[:n_a]) / n_a - np.add.reduce(rows[n_a:]) / n_b  # a mean of cosines is one product with the mean of unit vectors
        associated = np.stack([np.einsum("ij,ij->i", units[word][chosen[word][part]], towards) for word in range(n_x + n_y)], axis=1).astype(float)
        effects[part] = effect_size(associated[:, :n_x], associated[:, n_x:])
        variances[part] = associated.std(axis=1, ddof=1) ** 2
        if progress is not None:
            progress(part.stop, count, "drawing contexts")
    hedges = (n_x + n_y) / (n_x * n_y) + effects**2 / (2 * (n_x + n_y))
    return effects, variances, hedges


def _places(contexts: int, count: int, generator: np.random.Generator, replace: bool) -> NDArray[np.int64]:
    if not replace and contexts >= count:
        return generator.permutation(contexts)[:count]
    return generator.integers(contexts, size=count)


def _units(vectors: Floats) -> NDArray[np.float32]:
    """(C, H) of length 1, in single precision, as models give them: a draw touches each once, so that memory decides the time."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
