"""Groups in turn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.mechanism import Release
from tasks.privacy.sampler import Batches, Examples, Sampler, Schedule

if TYPE_CHECKING:
    from tasks.privacy.noise import Noise


class Cyclic(Sampler):
    """Every record is in one group for good, by a keyed hash, and the groups take turns: it takes part at most k times, at least ``separation`` steps
    apart. Accounted as one Gaussian release without amplification, of sensitivity sqrt(k) times the longest column of the noise's factorization
    (Choquette-Choo et al., NeurIPS 2023). What ``noise: {kind: banded}`` needs.
    """

    kind: Literal["cyclic"]
    separation: int = Field(ge=1, description="Least number of steps between two takings part, at most public_size / expected_batch_size.")

    @staticmethod
    def groups(schedule: Schedule) -> int:
        """As many as make a group as large as a batch is expected to be."""
        return max(1, round(schedule.per_epoch))

    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """All steps as one release."""
        return (noise.unamplified(noise_multiplier, schedule.steps, math.ceil(schedule.steps / self.groups(schedule))),)

    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """A group per step."""
        from tasks.privacy.samplers._batches import CyclicBatches

        return CyclicBatches(examples, schedule, key, self.groups(schedule))
