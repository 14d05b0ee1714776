"""Several processes at one training: each clips its part of a batch, the sums are added up, noise is drawn once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


def count() -> int:
    """How many processes there are; one where no group was joined."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if count() > 1 else 0


def add_up(tensors: Iterable[Tensor]) -> None:
    """Every tensor becomes its sum over all processes, to the bit the same in each."""
    if count() == 1:
        return
    found = list(tensors)
    flat = torch.cat([value.flatten() for value in found])
    dist.all_reduce(flat)
    for value, whole in zip(found, torch.split(flat, [value.numel() for value in found]), strict=True):
        value.copy_(whole.view_as(value))
