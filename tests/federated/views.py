"""Views that a strategy can draw from, for tests of selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from tasks.core.seeds import numpy_generator
from tasks.federated.history import Heard, History
from tasks.federated.selection import SELECTIONS, Cohort, Selection, View

ACTIVITY = np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 6, 8, 9, 11, 13, 17, 20, 26, 35, 60, 90, 300, 500, 0, 40], dtype=np.int64)
"""Records of 32 devices, skewed: the last but one holds none."""
AWAY = (2, 9, 16, 25, 31)
"""Devices that cannot be asked, though they hold records."""
COHORT = 8
DRAWS = 10_000


@dataclass
class Told:
    """Devices that answer from arrays, and remember who was asked."""

    loss: NDArray[np.float64]
    gradient: NDArray[np.float32]
    asked: list[NDArray[np.int64]] = field(default_factory=list)

    def losses(self, clients: NDArray[np.int64], most: int | None = None) -> NDArray[np.float64]:
        self.asked.append(clients)
        return self.loss[clients]

    def gradients(self, clients: NDArray[np.int64]) -> NDArray[np.float32]:
        self.asked.append(clients)
        return self.gradient[clients]


def told(devices: int, seed: int = 0) -> Told:
    """Devices with random losses and gradients."""
    generator = np.random.default_rng(seed)
    return Told(generator.gamma(2.0, size=devices), generator.normal(size=(devices, 5)).astype(np.float32))


def view(
    activity: Sequence[int] | NDArray[np.int64] = ACTIVITY,
    away: Sequence[int] = (),
    rounds: Sequence[Heard] = (),
    devices: Told | None = None,
    batch_size: int = 4,
) -> View:
    """The view after some rounds."""
    held = np.asarray(activity, dtype=np.int64)
    available = held > 0
    available[list(away)] = False
    return View(len(rounds), held, available, History(len(held), list(rounds)), devices or told(len(held)), batch_size)


def generator(round: int, seed: int = 0) -> np.random.Generator:
    """The generator of a round, as trainings make it."""
    return numpy_generator(seed, "selection", round)


def selection(kind: str, **settings: Any) -> Selection:
    """A strategy as a spec names it."""
    found = SELECTIONS.parse({"kind": kind, **settings})
    assert isinstance(found, Selection)
    return found


def heard(clients: Sequence[int] | NDArray[np.int64], seed: int = 0, asked: Sequence[int] | None = None, **values: Any) -> Heard:
    """What a round brought from some devices; what is not given is random."""
    random = np.random.default_rng(seed)
    there = np.array(clients, dtype=np.int64)
    count = len(there)
    mean = np.asarray(values.get("mean_loss", random.gamma(2.0, size=count)), dtype=np.float64)
    rms = np.asarray(values.get("rms_loss", mean * random.uniform(1, 1.5, size=count)), dtype=np.float64)
    examples = np.asarray(values.get("examples", random.integers(1, 50, size=count)), dtype=np.int64)
    seconds = np.asarray(values.get("seconds", random.lognormal(size=count)), dtype=np.float64)
    return Heard(there if asked is None else np.array(asked, dtype=np.int64), there, mean, rms, examples, seconds)


def history(rounds: int, devices: int = len(ACTIVITY), cohort: int = 6, seed: int = 0) -> list[Heard]:
    """Random rounds; in some nobody was asked, in some not all who were asked answered."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(rounds):
        asked = np.sort(random.choice(np.flatnonzero(ACTIVITY[:devices]), 0 if number % 11 == 5 else cohort, replace=False))
        found.append(heard(asked[random.random(len(asked)) < 0.85], seed * 1000 + number, asked=asked.tolist()))
    return found


@dataclass
class Counts:
    """Many draws of one strategy from one view.

    Attributes:
        drawn: (N,) in how many cohorts each device was.
        draws: (N,) how often each was drawn.
        sizes: (R,) devices in each cohort.
        together: (N, N) in how many cohorts each pair was.
    """

    drawn: NDArray[np.int64]
    draws: NDArray[np.int64]
    sizes: NDArray[np.int64]
    together: NDArray[np.int64]


def count(strategy: Selection, seen: View, cohort_size: int = COHORT) -> Counts:
    """Draw again and again, a round's generator each time."""
    devices = len(seen.activity)
    there = np.zeros((DRAWS, devices), dtype=np.float32)
    draws = np.zeros(devices, dtype=np.int64)
    for number in range(DRAWS):
        cohort: Cohort = strategy.draw(seen, cohort_size, generator(number))
        there[number, cohort.clients] = 1
        draws[cohort.clients] += cohort.draws
    together = (there.T @ there).astype(np.int64)
    return Counts(np.diag(together).copy(), draws, there.sum(axis=1).astype(np.int64), together)


def same(left: Cohort, right: Cohort) -> bool:
    """Whether two cohorts are equal in every part."""
    both = left.expected is None and right.expected is None
    expected = both or (left.expected is not None and right.expected is not None and np.array_equal(left.expected, right.expected))
    return np.array_equal(left.clients, right.clients) and np.array_equal(left.draws, right.draws) and left.origin == right.origin and expected


def agrees(counts: NDArray[np.int64], trials: int, probabilities: Sequence[float]) -> bool:
    """Whether every count is binomial with its probability, at level 1e-4 over their number (Bonferroni)."""
    return all(binomtest(int(found), trials, p).pvalue > 1e-4 / len(counts) for found, p in zip(counts, probabilities, strict=True))


EVERY: Mapping[str, Mapping[str, Any]] = {
    "uniform": {"kind": "uniform"},
    "poisson": {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"},
    "poisson-capped": {"kind": "activity-proportional", "alpha": 0.5, "design": "poisson", "activity_cap": 20},
    "fixed-size": {"kind": "activity-proportional", "alpha": 1.0, "design": "fixed-size"},
    "multinomial": {"kind": "multinomial"},
    "multinomial-root": {"kind": "multinomial", "alpha": 0.5},
    "top-m": {"kind": "top-m"},
    "threshold": {"kind": "threshold", "minimum": 3},
    "round-robin": {"kind": "round-robin"},
    "least-recent": {"kind": "least-recent"},
    "clustered-by-size": {"kind": "clustered-by-size"},
    "power-of-choice": {"kind": "power-of-choice", "candidates": 12},
    "power-of-choice-stale": {"kind": "power-of-choice", "candidates": 12, "loss": "stale"},
    "afl": {"kind": "afl"},
    "oort": {"kind": "oort"},
    "divfl": {"kind": "divfl", "candidates": 14},
    "divfl-all": {"kind": "divfl", "candidates": None},
    "participation-history": {"kind": "participation-history", "cutoff": 7},
}
"""Every kind, with the variants that draw differently."""
