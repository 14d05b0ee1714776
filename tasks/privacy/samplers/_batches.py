"""Batches of units: no state, every draw follows from (key, step), and unit i's draws do not depend on who comes after it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.core.seeds import numpy_generator
from tasks.privacy.sampler import Examples, Schedule


class _Units:
    """Which examples are of a unit."""

    def __init__(self, examples: Examples) -> None:
        units = examples.units
        self._units, self._most = units, examples.most
        self.count = int(units.max()) + 1 if len(units) else 0
        lengths = torch.bincount(units, minlength=self.count)
        self._in_order = bool((units.diff() >= 0).all())
        self._single = self._in_order and bool((lengths == 1).all())
        self._lengths = lengths
        self._first = torch.cumsum(lengths, 0) - lengths

    def chosen(self, units: Tensor, key: int, step: int) -> Tensor:
        """The examples of units: its only one, or as many as may take part, drawn anew for this step."""
        if self._single:
            return units
        return self._one_of(units, key, step) if self._in_order and self._most == 1 else self._some_of(units, key, step)

    def _one_of(self, units: Tensor, key: int, step: int) -> Tensor:
        """Of examples that stand together."""
        draws = torch.from_numpy(numpy_generator(key, "window", step).random(self.count))[units]
        lengths = self._lengths[units]
        places = (draws * lengths).long().clamp(max=(lengths - 1).clamp(min=0))
        return (self._first[units] + places)[lengths > 0]

    def _some_of(self, units: Tensor, key: int, step: int) -> Tensor:
        """Those with the lowest draws of each unit."""
        taking = torch.zeros(self.count, dtype=torch.bool)
        taking[units] = True
        found = taking[self._units].nonzero().squeeze(1)
        draws = torch.from_numpy(numpy_generator(key, "window", step).random(len(self._units)))[found]
        found = found[torch.argsort(draws, stable=True)]
        found = found[torch.argsort(self._units[found], stable=True)]
        lengths = torch.unique_consecutive(self._units[found], return_counts=True)[1]
        places = torch.arange(len(found)) - torch.repeat_interleave(torch.cumsum(lengths, 0) - lengths, lengths)
        return found[places < self._most]


class PoissonBatches:
    """Unit i is in step t's batch if its coin of (key, t) falls below the rate; of more than ``limit`` the rest is left out, by lot."""

    def __init__(self, examples: Examples, schedule: Schedule, key: int, limit: int | None = None) -> None:
        self._units, self._rate, self._key, self._limit = _Units(examples), schedule.rate, key, limit
        self.per_epoch = schedule.per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples, perhaps none."""
        coins = numpy_generator(self._key, "poisson", step).random(self._units.count)
        found = torch.from_numpy(coins < self._rate).nonzero().squeeze(1)
        if self._limit is not None and len(found) > self._limit:
            kept = numpy_generator(self._key, "truncation", step).permutation(len(found))[: self._limit]
            found = found[torch.from_numpy(kept).sort().values]
        return self._units.chosen(found, self._key, step)


class FixedBatches:
    """``size`` units of all, without replacement."""

    def __init__(self, examples: Examples, schedule: Schedule, key: int) -> None:
        self._units, self._size, self._key = _Units(examples), schedule.expected_batch_size, key
        self.per_epoch = schedule.per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples."""
        drawn = numpy_generator(self._key, "fixed-size", step).choice(self._units.count, min(self._size, self._units.count), replace=False)
        return self._units.chosen(torch.from_numpy(drawn).sort().values, self._key, step)


class CyclicBatches:
    """Unit i is in group H(key, i) of ``groups``; step t takes the whole group t mod groups."""

    def __init__(self, examples: Examples, schedule: Schedule, key: int, groups: int) -> None:
        self._units, self._key, self._groups = _Units(examples), key, groups
        self._group = (torch.from_numpy(numpy_generator(key, "cyclic").random(self._units.count)) * groups).long()
        self.per_epoch = schedule.per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples, perhaps none."""
        return self._units.chosen((self._group == step % self._groups).nonzero().squeeze(1), self._key, step)


class ShuffledPasses:
    """A permutation per epoch, cut into equal batches; their number follows from the public size."""

    def __init__(self, examples: Examples, schedule: Schedule, key: int) -> None:
        self._units, self._key = _Units(examples), key
        self._batches = math.ceil(schedule.per_epoch)
        self.per_epoch = schedule.per_epoch  # not rounded up: the loop would take more steps than are accounted

    def __getitem__(self, step: int) -> Tensor:
        """Indices of examples."""
        epoch, place = divmod(step, self._batches)
        order = torch.from_numpy(numpy_generator(self._key, "shuffle", epoch).permutation(self._units.count))
        return self._units.chosen(torch.tensor_split(order, self._batches)[place], self._key, step)
