"""Samples of fixed size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.privacy.mechanism import Release
from tasks.privacy.sampler import Batches, Examples, Sampler, Schedule

if TYPE_CHECKING:
    from tasks.privacy.noise import Noise


class FixedSize(Sampler):
    """``training.expected_batch_size`` records of all, without replacement, drawn anew for each step: between data sets of equal size (replace-one), by rdp
    (Wang, Balle and Kasiviswanathan, AISTATS 2019). There must be at least ``data.public_size`` records.
    """

    kind: Literal["fixed-size"]

    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """Gaussians over samples without replacement."""
        size = min(schedule.expected_batch_size, schedule.public_size)
        runs = noise.runs(noise_multiplier, schedule.steps)
        return tuple(Release(multiplier, schedule.rate, count, size, schedule.public_size, fixed=True) for multiplier, count in runs)

    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """A draw per step."""
        from tasks.privacy.samplers._batches import FixedBatches

        return FixedBatches(examples, schedule, key)
