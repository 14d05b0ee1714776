"""Noise that changes from stage to stage: all steps in equal parts."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

from pydantic import Field

from tasks.privacy.noise import Noise


class Staged(Noise):
    """Base of schedules in stages; a stage is an epoch where there are as many stages as epochs."""

    stages: int = Field(default=10, ge=1, le=10_000, description="Into how many equal parts the steps are divided.")

    @abstractmethod
    def share(self, stage: int) -> float:
        """Which share of the given multiplier a stage has, from 0."""

    def multiplier(self, noise_multiplier: float, step: int, steps: int) -> float:
        """That of its stage."""
        return noise_multiplier * self.share(min(self.stages - 1, step * self.stages // steps))

    def runs(self, noise_multiplier: float, steps: int) -> list[tuple[float, int]]:
        """One run per stage that has a step."""
        ends = [-(-stage * steps // self.stages) for stage in range(self.stages + 1)]
        lengths = [end - begin for begin, end in pairwise(ends)]
        return [(noise_multiplier * self.share(stage), length) for stage, length in enumerate(lengths) if length]
