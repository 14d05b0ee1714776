"""Engines: how per-example gradients are had, clipped and summed. They differ in speed and memory, never in the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.models.losses import ExampleLoss
    from tasks.privacy.clip_rule import ClipRule


@dataclass(frozen=True)
class Piece:
    """What a piece of a batch gave: losses and gradient norms per example, both (B,) fp32. Private: neither may be released."""

    losses: Tensor
    norms: Tensor


class UnseenWeight(Exception):
    """A weight was used past the layers that an engine watches: its part of a gradient would not be clipped."""


class Clipper(ABC):
    """Adds clipped per-example gradients of one network to a sum, piece by piece.

    Args:
        network: in training mode; its parameters that require a gradient are the trained ones.
        rule: how contributions are bounded.

    ``loss`` is what each example loses; another one may be set before the first piece.
    """

    def __init__(self, network: nn.Module, rule: ClipRule) -> None:
        from tasks.models.losses import per_example_loss

        self.network = network
        self.loss: ExampleLoss = per_example_loss
        self.rule = rule
        self.trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}

    @abstractmethod
    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor]) -> Piece:
        """Add the clipped gradients of a batch (as ``Encoded.batch`` gives it) to fp32 sums by parameter name."""

    def losses(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) what the network loses on each example of a batch."""
        from tasks.models.batches import network_inputs

        return self.loss(self.network(**network_inputs(batch)), batch)

    def zeros(self) -> dict[str, Tensor]:
        """Sums of nothing, fp32: what an empty batch adds up to."""
        import torch

        return {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in self.trained.items()}

    @staticmethod
    @contextmanager
    def backward() -> Iterator[None]:
        """Around a backward pass with hooks: torch warns of every layer whose inputs are ids and need no gradient, as an embedding's are."""
        import warnings

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Full backward hook is firing when gradients are computed with respect to module outputs")
            yield

    def close(self) -> None:
        """Take away whatever was attached to the network."""


class Engine(Component, ABC):
    """Base of every clipping engine."""

    tied_weights: ClassVar[bool] = True
    """Whether a weight that two layers share is clipped once, as it must be."""
    half_precision: ClassVar[bool] = True
    """Whether a contribution stays within the bound when the forward pass runs in bf16."""
    copies: ClassVar[bool] = True
    """Whether a gradient per example is held for every trained weight, which bounds the physical batch."""

    @abstractmethod
    def clipper(self, network: nn.Module, rule: ClipRule) -> Clipper:
        """Attach to a network."""


ENGINES = Family("engine", "tasks.privacy.engines", Engine)
