"""Local training of a cohort: the sum of weighted updates, in float64, and what each device reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.core.errors import UserError
from tasks.federated.client import Client
from tasks.federated.jobs import Job, Outcomes
from tasks.models.batches import Encoded

Update = dict[str, Tensor]
PIECE = 1 << 17
"""Numbers that are added at once: a megabyte of float64."""


@dataclass(frozen=True)
class Work:
    """What all local trainings of a study share.

    Args:
        network: on its device; its trained weights are the model of the server between rounds.
        encoded: all training examples.
        client: how devices train.
        device: where.
        trained: names of the weights that devices change.
    """

    network: nn.Module
    encoded: Encoded
    client: Client
    device: str
    trained: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trained weights by name."""
        there = dict(self.network.named_parameters())
        return {name: there[name] for name in self.trained}

    @property
    def size(self) -> int:
        """How many numbers a device sends back."""
        return sum(parameter.numel() for parameter in self.parameters.values())


class Layout(ABC):
    """How a cohort's devices are trained in one process."""

    def __init__(self, work: Work) -> None:
        self.work = work

    @abstractmethod
    def train(self, jobs: Sequence[Job]) -> tuple[Update, Outcomes]:
        """The sum over jobs of weight x (trained - sent), float64 by name, and the outcomes. The network is left as it was sent."""


class Sum:
    """A running sum of weighted models, from which the sum of weighted updates follows: no update is ever held."""

    def __init__(self, sent: Sequence[Tensor]) -> None:
        self._sent = sent
        self._total = [torch.zeros_like(tensor, dtype=torch.float64) for tensor in sent]
        self._weight = 0.0

    def add(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Add one device's weights."""
        for total, tensor in zip(self._total, tensors, strict=True):
            _add(total, tensor, weight)
        self._weight += weight

    def update(self) -> list[Tensor]:
        """The sum of weight x (trained - sent). It is the sum's own memory: ask once."""
        for total, sent in zip(self._total, self._sent, strict=True):
            _add(total, sent, -self._weight)
        return self._total


def _add(total: Tensor, tensor: Tensor, weight: float) -> None:
    """total += weight x tensor, float64 and float32, in pieces that stay in the cache: at once, a float64 copy of the whole is made first."""
    if total.device.type != "cpu" or total.numel() <= PIECE:
        total.add_(tensor, alpha=weight)
        return
    for piece, other in zip(total.view(-1).split(PIECE), tensor.reshape(-1).split(PIECE), strict=True):  # type: ignore[no-untyped-call]
        piece.add_(other, alpha=weight)


def trained_names(network: nn.Module, freeze: Sequence[str]) -> tuple[str, ...]:
    """The weights that devices change: all that require a gradient but those frozen. Raises UserError where none is left, or a name is unknown."""
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    for frozen in freeze:
        if not any(name.startswith(frozen) for name in names):
            raise UserError(f"federation.client.freeze: no trained weight's name begins with '{frozen}'; they are {', '.join(names)[:300]}")
    left = tuple(name for name in names if not name.startswith(tuple(freeze)))
    if not left:
        raise UserError("federation.client.freeze: no weight is left to train")
    return left
