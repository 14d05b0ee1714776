"""Which examples each step sees: passes over the data in a random order that follows from (seed, epoch) alone."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from tasks.core.seeds import numpy_generator

POOL = 16


class ShuffledBatches:
    """Every example once an epoch, in batches of ``size`` (the last may be smaller), examples of like length together.

    An epoch's order is a permutation, sorted by length within pools of sixteen batches, the batches shuffled again: less
    padding, still random. No state: step k's batch is the same whether or not steps before it were run.
    """

    def __init__(self, lengths: Tensor, size: int, seed: int) -> None:
        self._lengths = lengths
        self._size = min(size, len(lengths))
        self._seed = seed
        self._per_epoch = -(-len(lengths) // self._size)
        self._epoch = lru_cache(maxsize=2)(self._order)

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return self._per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """Indices of the examples of a step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self._per_epoch)
        return self._epoch(epoch)[place]

    def examples(self, steps: int) -> int:
        """How many examples so many steps see, repeats counted."""
        whole, rest = divmod(steps, self._per_epoch)
        return whole * len(self._lengths) + sum(len(batch) for batch in self._epoch(whole)[:rest])

    def _order(self, epoch: int) -> list[Tensor]:
        generator = numpy_generator(self._seed, "batch-order", epoch)
        permutation = torch.from_numpy(generator.permutation(len(self._lengths)))
        batches: list[Tensor] = []
        for pool in torch.split(permutation, self._size * POOL):
            alike = pool[torch.argsort(self._lengths[pool], stable=True)]
            batches += torch.split(alike, self._size)
        return [batches[index] for index in generator.permutation(len(batches))]
