"""Poisson sampling with a largest batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.mechanism import Release
from tasks.privacy.sampler import Batches, Examples, Sampler, Schedule

if TYPE_CHECKING:
    from tasks.privacy.noise import Noise


class TruncatedPoisson(Sampler):
    """Poisson sampling, of which at most ``max_batch_size`` records stay, drawn by lot: a batch never outgrows the memory. Where it is cut, one record more
    pushes out another, which the accountant counts (Ganesh et al. 2025, arXiv 2508.15089). There may be no more than ``data.public_size`` records.
    """

    kind: Literal["truncated-poisson"]
    max_batch_size: int = Field(ge=1, description="The most records in a step; above training.expected_batch_size by some deviations it costs next to nothing.")

    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """Sampled Gaussians with a limit."""
        runs = noise.runs(noise_multiplier, schedule.steps)
        return tuple(Release(multiplier, schedule.rate, count, self.max_batch_size, schedule.public_size) for multiplier, count in runs)

    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """A coin per record and step, and a lot where too many came."""
        from tasks.privacy.samplers._batches import PoissonBatches

        return PoissonBatches(examples, schedule, key, self.max_batch_size)
