"""Facility location: a few devices whose gradients stand for all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 2048
MISS = 0.01
BLOCK = 64


def distances(gradients: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(R, K) Euclidean distances from some rows to all; exactly 0 to itself."""
    lengths = np.einsum("ij,ij->i", gradients, gradients)
    squared = lengths[rows][:, None] + lengths[None, :] - 2 * gradients[rows] @ gradients.T
    squared[np.arange(len(rows)), rows] = 0.0
    found: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
    return found


def centred(gradients: NDArray[np.float32]) -> NDArray[np.float64]:
    """Gradients less their mean, which changes no distance and keeps digits."""
    exact = gradients.astype(np.float64)
    middled: NDArray[np.float64] = exact - exact.mean(axis=0)
    return middled


def first_lowest(costs: NDArray[np.float64]) -> int:
    """The first of the lowest, whatever the order in which equal sums were rounded."""
    lowest = costs.min()
    return int(np.flatnonzero(costs <= lowest + 1e-9 * abs(lowest))[0])


def greedy(gradients: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """``count`` rows, each time the one that most lowers the sum over rows of the distance to the nearest chosen one; ties by index.

    Within 1 - 1/e of the best gain (Nemhauser, Wolsey and Fisher 1978).
    """
    size = len(gradients)
    apart = distances(centred(gradients), np.arange(size))
    nearest = np.full(size, np.inf)
    free, chosen = np.ones(size, dtype=bool), []
    for _ in range(min(count, size)):
        best = first_lowest(np.where(free, np.minimum(apart, nearest).sum(axis=1), np.inf))
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, apart[best])
    return np.array(chosen, dtype=np.int64)


def stochastic_greedy(gradients: NDArray[np.float32], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The same, with each row chosen from a random part, so that no table of all distances is needed (Mirzasoleiman et al., AAAI 2015).

    Parts of K / count x ln(1 / 0.01) rows lose at most 0.01 of the guarantee in expectation.
    """
    size, exact = len(gradients), centred(gradients)
    part = min(size, math.ceil(size / max(1, count) * math.log(1 / MISS)))
    nearest = np.full(size, np.inf)
    free, chosen = np.arange(size), []
    for _ in range(min(count, size)):
        some = np.sort(generator.choice(free, min(part, len(free)), replace=False, shuffle=False))
        blocks = np.array_split(some, math.ceil(len(some) / BLOCK))
        costs = np.concatenate([np.minimum(distances(exact, block), nearest).sum(axis=1) for block in blocks])
        best = int(some[first_lowest(costs)])
        chosen.append(best)
        free = free[free != best]
        nearest = np.minimum(nearest, distances(exact, np.array([best]))[0])
    return np.array(chosen, dtype=np.int64)
