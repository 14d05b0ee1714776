"""Constant noise."""

from __future__ import annotations

from typing import Literal

from tasks.privacy.noise import Noise


class Constant(Noise):
    """The same at every step."""

    kind: Literal["constant"]

    def multiplier(self, noise_multiplier: float, step: int, steps: int) -> float:
        """The given one."""
        return noise_multiplier

    def runs(self, noise_multiplier: float, steps: int) -> list[tuple[float, int]]:
        """One run."""
        return [(noise_multiplier, steps)]
