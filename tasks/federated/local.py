"""Local training of a cohort: what all devices share, and how they are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from tasks.core.errors import UserError
from tasks.federated.client import Client
from tasks.federated.jobs import Job, Outcomes
from tasks.federated.labelling import Labelling
from tasks.federated.totals import Total
from tasks.models.batches import Encoded

Update = dict[str, Tensor]


@dataclass(frozen=True)
class Work:
    """What all local trainings of a study share.

    Args:
        network: on its device; its trained weights are the model of the server between rounds.
        encoded: all training examples; where devices label some of them, a copy of their own.
        client: how devices train.
        device: where.
        trained: names of the weights that devices change.
        labelling: which examples have a label; None: all.
    """

    network: nn.Module
    encoded: Encoded
    client: Client
    device: str
    trained: tuple[str, ...]
    labelling: Labelling | None = None

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trained weights by name."""
        there = dict(self.network.named_parameters())
        return {name: there[name] for name in self.trained}

    def sent(self) -> list[Tensor]:
        """Copies of the trained weights as they are now, in the order of ``trained``."""
        return [parameter.detach().clone() for parameter in self.parameters.values()]

    @property
    def size(self) -> int:
        """How many numbers a device sends back."""
        return sum(parameter.numel() for parameter in self.parameters.values())


class Layout(ABC):
    """How a cohort's devices are trained, and where."""

    def __init__(self, work: Work) -> None:
        self.work = work

    @abstractmethod
    def train(self, jobs: Sequence[Job], total: Total) -> Outcomes:
        """Train from the weights that ``total`` was begun with, and make each device part of it. The network is left as it was sent.

        Devices label what has no label before any is trained: all do so with the model as it was sent.
        """


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
