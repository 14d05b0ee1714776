"""Noise: how much is added to the clipped sum at each step."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tasks.core.component import Component, Family


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


NOISES = Family("noise", "tasks.privacy.noises", Noise)
