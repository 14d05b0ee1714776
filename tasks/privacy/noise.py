"""Noise: how much is added to the clipped sum at each step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from tasks.core.component import Component, Family
from tasks.privacy.mechanism import Release


class Noise(Component, ABC):
    """Base of every noise schedule. The standard deviation at a step is its multiplier times the clip rule's sensitivity, on the sum."""

    @abstractmethod
    def multiplier(self, noise_multiplier: float, step: int, steps: int) -> float:
        """The noise multiplier of a step (from 0) of all steps."""

    @abstractmethod
    def runs(self, noise_multiplier: float, steps: int) -> list[tuple[float, int]]:
        """All steps as (multiplier, how many steps in a row have it): what is composed, never a mean."""

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The first column of the noise's factorization, a Toeplitz matrix with 1 on its diagonal; (1,): every step has noise of its own."""
        return (1.0,)

    def unamplified(self, noise_multiplier: float, steps: int, most: int) -> Release:
        """All steps as one Gaussian release, for units that take part at most ``most`` times, whoever decides when, as far apart as the noise has bands.

        The sensitivity is sqrt(most) times the longest column of the factorization (Choquette-Choo et al., NeurIPS 2023); the least noise of any step
        stands for all.
        """
        least = min(multiplier for multiplier, _ in self.runs(noise_multiplier, steps))
        column = math.sqrt(sum(value**2 for value in self.coefficients))
        return Release(least / (math.sqrt(most) * column), None, 1)


NOISES = Family("noise", "tasks.privacy.noises", Noise)
