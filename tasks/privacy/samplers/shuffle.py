"""Shuffled passes over the data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from tasks.privacy.mechanism import Release
from tasks.privacy.sampler import Batches, Examples, Sampler, Schedule

if TYPE_CHECKING:
    from tasks.privacy.noise import Noise


class Shuffle(Sampler):
    """Every record once an epoch, in a random order: accounted without any amplification, one Gaussian sum per epoch.

    Valid between data sets of equal size (zero-out): another number of records would cut the batches elsewhere. Poisson's epsilon
    does not hold for it (Chua et al., ICML 2024; Annamalai et al. 2024).
    """

    kind: Literal["shuffle"]

    def releases(self, schedule: Schedule, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """A record is in one batch of each epoch, whichever: the least noise of any step stands for it."""
        least = min(multiplier for multiplier, _ in noise.runs(noise_multiplier, schedule.steps))
        return (Release(least, None, math.ceil(schedule.steps / math.ceil(schedule.per_epoch))),)

    def batches(self, examples: Examples, schedule: Schedule, key: int) -> Batches:
        """A permutation per epoch, cut into as many batches as the public size asks for."""
        from tasks.privacy.samplers._batches import ShuffledPasses

        return ShuffledPasses(examples, schedule, key)
