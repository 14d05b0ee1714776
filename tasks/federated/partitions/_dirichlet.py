"""Dirichlet skew over any strata (labels, clusters): each device its own mixture, all devices as many records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.federated.partitions._naming import even

LEAST = 1e-200
"""A mixture of less is used up: what is left of it cannot be scaled to 1."""


def deal(strata: NDArray[np.int64], devices: int, alpha: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """(R,) the device of each record, given the stratum of each, numbered from 0.

    A device draws its mixture from Dirichlet(alpha x global shares) (Hsu, Qi and Brown 2019). Devices claim what they still need from
    their mixtures over strata that are not used up, all at once; a stratum that is claimed beyond its stock grants claims at random,
    so that no device is served last. A device whose whole mixture is used up draws another over what is left. Repeated until all hold
    their share: every round but the last uses up a stratum.
    """
    stock = np.bincount(strata)
    mixtures = np.zeros((devices, len(stock)))
    need = even(len(strata), devices)
    held = np.zeros((devices, len(stock)), dtype=np.int64)
    while need.any():
        asking = np.flatnonzero(need)
        mixtures[asking] = _open(mixtures[asking], stock, alpha, generator)
        claims = generator.multinomial(need[asking], mixtures[asking])
        granted = _granted(claims, stock, generator)
        held[asking] += granted
        need[asking] -= granted.sum(axis=1)
        stock = stock - granted.sum(axis=0)
    return _handed_out(strata, held, generator)


def _open(mixtures: NDArray[np.float64], stock: NDArray[np.int64], alpha: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Mixtures over strata that have records left: of each device its own as far as it goes, else a new one."""
    there = np.flatnonzero(stock)
    left = np.where(stock > 0, mixtures, 0.0)
    empty = np.flatnonzero(left.sum(axis=1) < LEAST)
    if len(empty):
        drawn = generator.dirichlet(alpha * stock[there] / stock.sum(), size=len(empty))
        drawn[drawn.sum(axis=1) < LEAST] = stock[there]  # every component too small for a float: the shares themselves
        left[np.ix_(empty, there)] = drawn
    opened: NDArray[np.float64] = left / left.sum(axis=1, keepdims=True)
    return opened


def _granted(claims: NDArray[np.int64], stock: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    granted = claims.copy()
    for stratum in np.flatnonzero(claims.sum(axis=0) > stock):
        granted[:, stratum] = generator.multivariate_hypergeometric(claims[:, stratum], stock[stratum])
    return granted


def _handed_out(strata: NDArray[np.int64], held: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Which records of a stratum a device gets is chance."""
    shuffled = generator.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    devices, count = held.shape
    result = np.empty(len(strata), dtype=np.int64)
    result[by_stratum] = np.repeat(np.tile(np.arange(devices), count), held.T.ravel())
    return result
