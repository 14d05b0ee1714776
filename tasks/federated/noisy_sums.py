"""Sums over devices with noise: one user moves them by at most a stated bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.core.seeds import numpy_generator
from tasks.federated.retentions._ranks import first_of_each


@dataclass(frozen=True)
class NoisySums:
    """The Gaussian mechanism on the sums of a metric. Each sum is measured in units of the most that a record adds to it.

    Args:
        bounds: (D,) the most that a record adds to each sum, public numbers; the last sum counts records.
        most_records: of a device, that count.
        noise_multiplier: deviation of the noise over ``sensitivity``.
        key: decides the noise.
    """

    bounds: tuple[float, ...]
    most_records: int
    noise_multiplier: float
    key: int

    @property
    def sensitivity(self) -> float:
        """The furthest, in L2, that a device that comes or goes moves the sums: most_records times a record of ones."""
        return self.most_records * math.sqrt(len(self.bounds))

    def of_devices(self, sums: NDArray[np.float64], device: NDArray[np.int64], coins: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K, D) what each device hands over of (R, D) sums of its records: those of least coins count, each cut at the bounds."""
        counted = first_of_each(device, np.ones(len(device), dtype=np.bool_), self.most_records, coins)
        _, owner = np.unique(device[counted], return_inverse=True)
        found = np.zeros((int(owner.max(initial=-1)) + 1, len(self.bounds)))
        np.add.at(found, owner, np.clip(sums[counted] / self.bounds, 0.0, 1.0))
        return found

    def release(self, sums: NDArray[np.float64], device: NDArray[np.int64], coins: NDArray[np.float64], check: int) -> NDArray[np.float64]:
        """(1, D) the sums over devices with the noise of a check, in units of the metric."""
        total = self.of_devices(sums, device, coins).sum(axis=0, keepdims=True)
        noise = numpy_generator(self.key, "private-sums", check).standard_normal(total.shape)
        noisy: NDArray[np.float64] = (total + self.noise_multiplier * self.sensitivity * noise) * self.bounds
        return noisy
