"""Batches of records: no state, every draw follows from (key, step), and record i's draws do not depend on who comes after it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.core.seeds import numpy_generator
from tasks.privacy.sampler import Schedule


class _Windows:
    """Which examples are of a record; records are numbered from 0 without gaps, in order."""

    def __init__(self, records: Tensor) -> None:
        self._records = records
        self.count = int(records.max()) + 1 if len(records) else 0
        lengths = torch.bincount(records, minlength=self.count)
        self._single = bool((lengths == 1).all())
        self._lengths = lengths
        self._first = torch.cumsum(lengths, 0) - lengths

    def chosen(self, records: Tensor, key: int, step: int) -> Tensor:
        """One example of each record: its only one, or one drawn anew for this step."""
        if self._single:
            return records
        draws = torch.from_numpy(numpy_generator(key, "window", step).random(self.count))[records]
        lengths = self._lengths[records]
        places = (draws * lengths).long().clamp(max=(lengths - 1).clamp(min=0))
        return (self._first[records] + places)[lengths > 0]


class PoissonBatches:
    """Record i is in step t's batch if its coin of (key, t) falls below the rate."""

    def __init__(self, records: Tensor, schedule: Schedule, key: int) -> None:
        self._windows, self._rate, self._key = _Windows(records), schedule.rate, key
        self.per_epoch = schedule.per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples, perhaps none."""
        coins = numpy_generator(self._key, "poisson", step).random(self._windows.count)
        return self._windows.chosen(torch.from_numpy(coins < self._rate).nonzero().squeeze(1), self._key, step)


class ShuffledPasses:
    """A permutation per epoch, cut into equal batches; their number follows from the public size."""

    def __init__(self, records: Tensor, schedule: Schedule, key: int) -> None:
        self._windows, self._key = _Windows(records), key
        self._batches = math.ceil(schedule.per_epoch)
        self.per_epoch = schedule.per_epoch  # not rounded up: the loop would take more steps than are accounted

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples."""
        epoch, place = divmod(step, self._batches)
        order = torch.from_numpy(numpy_generator(self._key, "shuffle", epoch).permutation(self._windows.count))
        return self._windows.chosen(torch.tensor_split(order, self._batches)[place], self._key, step)
