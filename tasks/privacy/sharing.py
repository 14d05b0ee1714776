"""Sharing: which examples of a step make up one contribution, which is clipped as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.core.seeds import numpy_generator

Sharing = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""Owners (B,) long, and what each example counts in its owner's contribution, weights (B,) fp32, from indices (B,) of examples and a step."""


@dataclass(frozen=True)
class ByUnit:
    """A unit's contribution is the mean gradient of its examples of the step. ``units`` (N,) long names whose each example is."""

    units: Tensor

    def __call__(self, indices: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Each alike."""
        owners = self.units[indices]
        return owners, 1.0 / torch.bincount(owners)[owners].float() if len(owners) else torch.zeros(0)


@dataclass(frozen=True)
class ByHash:
    """Micro-batches: record i goes to number H(key, i, step) mod M, whoever else is there; weights are 1 / k of a public k.

    Args:
        records: (N,) long, the record of each example.
        micro_batches: M.
        size: k, the expected examples of one.
        key: of the hash.
    """

    records: Tensor
    micro_batches: int
    size: float
    key: int

    def __call__(self, indices: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Drawn anew for the step; record i's draw does not depend on who comes after it."""
        count = int(self.records.max()) + 1 if len(self.records) else 0
        draws = torch.from_numpy(numpy_generator(self.key, "micro-batch", step).random(count))
        owners = (draws[self.records[indices]] * self.micro_batches).long()
        return owners, torch.full((len(indices),), 1 / self.size)
