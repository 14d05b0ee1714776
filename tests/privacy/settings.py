"""The four settings of the accounting tables, and mechanisms made of them."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.privacy.accountant import epsilon
from tasks.privacy.mechanism import Adjacency, Mechanism, Release, Repetition


@dataclass(frozen=True)
class Setting:
    """A Poisson-sampled training, and the passes over the data that its steps make."""

    noise: float
    rate: float
    steps: int
    delta: float
    epochs: int


SETTINGS = {
    "A": Setting(1.0, 0.01, 1000, 1e-5, 10),
    "B": Setting(1.1, 256 / 60000, 3515, 1e-5, 15),
    "C": Setting(0.8, 256 / 13084, 1533, 1 / 13084, 30),
    "D": Setting(1.0, 128 / 4478, 1049, 1 / 4478, 30),
}


def sampled(name: str, over: float = 1.0, adjacency: Adjacency = "add-remove", repetition: Repetition | None = None) -> Mechanism:
    """A setting's training, its noise divided by ``over``."""
    setting = SETTINGS[name]
    return Mechanism((Release(setting.noise / over, setting.rate, setting.steps),), adjacency, repetition)


def gaussian(noise: float, count: int = 1, adjacency: Adjacency = "add-remove") -> Mechanism:
    """Gaussian sums over everybody."""
    return Mechanism((Release(noise, None, count),), adjacency)


def high(accountant: str, mechanism: Mechanism, delta: float = 1e-5) -> float:
    """What an accountant reports."""
    return epsilon(accountant, mechanism, delta).high
