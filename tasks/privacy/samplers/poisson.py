"""Poisson sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.privacy.mechanism import Release
from tasks.privacy.sampler import Batches, Examples, Sampler, Schedule

if TYPE_CHECKING:
    from tasks.privacy.noise import Noise


class Poisson(Sampler):
    """Every record takes part in a step with the same probability, independently (Abadi et al., CCS 2016). A batch may be empty."""

    kind: Literal["poisson"]

    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """Sampled Gaussians."""
        return tuple(Release(multiplier, schedule.rate, count) for multiplier, count in noise.runs(noise_multiplier, schedule.steps))

    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """A coin per record and step."""
        from tasks.privacy.samplers._batches import PoissonBatches

        return PoissonBatches(examples, schedule, key)
