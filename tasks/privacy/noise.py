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


NOISES = Family("noise", "tasks.privacy.noises", Noise)
