"""What strategies share: who can be drawn, how a cohort is written down, draws without a closed inclusion probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.federated.selection import Cohort, View

if TYPE_CHECKING:
    from numpy.typing import NDArray


EXACT = "exact"


def ready(view: View) -> NDArray[np.bool_]:
    """(N,) who can be drawn: available, with records."""
    return view.available & (view.activity > 0)


def candidates(view: View) -> NDArray[np.int64]:
    """Indices of those who can be drawn, ascending."""
    return np.flatnonzero(ready(view))


def without_replacement(clients: NDArray[np.int64], expected: NDArray[np.float64] | None, origin: str) -> Cohort:
    """The cohort of distinct devices in any order; ``expected`` is (N,), over all devices."""
    drawn = np.sort(clients)
    return Cohort(drawn, np.ones(len(drawn), dtype=np.int64), None if expected is None else expected[drawn], origin)


def with_replacement(draws: NDArray[np.int64], expected: NDArray[np.float64]) -> Cohort:
    """The cohort of a list of draws in which a device may stand more than once; ``expected`` is (N,)."""
    drawn, counts = np.unique(draws, return_counts=True)
    return Cohort(drawn, counts.astype(np.int64), expected[drawn], EXACT)


def uniformly(among: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of them without replacement, each subset equally likely; all of them where there are fewer."""
    if count >= len(among):
        return among
    return among[generator.choice(len(among), max(0, count), replace=False, shuffle=False)]


def sequentially(among: NDArray[np.int64], weights: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of them, one after the other, each time in proportion to the weights of those left; in the order of drawing.

    Exponential races (Efraimidis and Spirakis 2006). Those of weight 0 come last, at random. Inclusion probabilities have no closed form.
    """
    if len(among) == 0 or count <= 0:
        return among[:0]
    finish = generator.standard_exponential(len(among)) / np.maximum(weights / max(float(weights.max()), 1e-300), 1e-300)
    count = min(count, len(among))
    first = np.argpartition(finish, count - 1)[:count]
    return among[first[np.argsort(finish[first], kind="stable")]]


def flattened(rounds: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Devices of all rounds in one array, and the round of each."""
    sizes = np.fromiter((len(part) for part in rounds), dtype=np.int64, count=len(rounds))
    devices = np.concatenate(rounds) if len(rounds) else np.zeros(0, dtype=np.int64)
    return devices, np.repeat(np.arange(len(rounds)), sizes)
