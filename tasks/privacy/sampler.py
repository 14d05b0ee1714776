"""Samplers: who takes part in a step. They and the accountant must speak of the same thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tasks.core.component import Component, Family
from tasks.privacy.mechanism import Release

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.privacy.noise import Noise


@dataclass(frozen=True)
class Schedule:
    """How often and how many, from public numbers alone: rate, steps and divisor never see how many records there are.

    Args:
        public_size: the public number N of units.
        expected_batch_size: expected units per step, the divisor of the noisy sum.
        epochs: passes over N units.
    """

    public_size: int
    expected_batch_size: int
    epochs: float

    @property
    def rate(self) -> float:
        """Probability that a unit takes part in a step."""
        return min(1.0, self.expected_batch_size / self.public_size)

    @property
    def per_epoch(self) -> float:
        """Steps of an epoch."""
        return 1 / self.rate

    @property
    def steps(self) -> int:
        """All steps, as the loop counts them."""
        return max(1, round(self.epochs * self.per_epoch))


class Batches(Protocol):
    """Which examples each step sees."""

    @property
    def per_epoch(self) -> float:
        """Steps of an epoch; it need not be whole."""

    def __getitem__(self, step: int, /) -> Tensor: ...


@dataclass(frozen=True)
class Examples:
    """Whose the examples are, and how many of one unit may take part in a step.

    Args:
        units: (N,) long, the unit of each example, numbered from 0 without gaps: its record, or its user.
        most: of one unit in one step; where it has more, which they are is drawn anew.
    """

    units: Tensor
    most: int = 1


class Sampler(Component, ABC):
    """Base of every sampler."""

    @abstractmethod
    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """What an accountant composes."""

    @abstractmethod
    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """The batches. A text that was cut into windows has several examples, and one of them, drawn anew, stands for it in a step. Every draw follows
        from (key, step).
        """


@dataclass(frozen=True)
class Sampled:
    """A sampler with its schedule, as an accountant sees it."""

    sampler: Sampler
    schedule: Schedule

    def releases(self, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """What it composes."""
        return self.sampler.releases(self.schedule, noise, noise_multiplier)


SAMPLERS = Family("sampler", "tasks.privacy.samplers", Sampler)
