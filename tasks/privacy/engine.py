"""Engines: how per-example gradients are had, clipped and summed. They differ in speed and memory, never in the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family
from tasks.privacy.blocks import LayerScales, blocks_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.models.losses import ExampleLoss
    from tasks.privacy.clip_rule import Bound
    from tasks.privacy.sharing import Sharing


@dataclass(frozen=True)
class Piece:
    """What a piece of a batch gave: losses (B,) per example and gradient norms (U,) per contribution, fp32. Private: neither may be released."""

    losses: Tensor
    norms: Tensor


@dataclass(frozen=True)
class Shares:
    """Contributions of several examples: ``owners`` (B,) long whose each example is, from 0 to ``count`` - 1, and what it counts there, ``weights`` (B,)."""

    owners: Tensor
    weights: Tensor
    count: int


class UnseenWeight(Exception):
    """A weight was used past the layers that an engine watches: its part of a gradient would not be clipped."""


class Clipper(ABC):
    """Adds clipped per-example gradients of one network to a sum, piece by piece.

    Args:
        network: in training mode; its parameters that require a gradient are the trained ones.
        rule: how contributions are bounded.
        layer_scales: how the bound is divided among layers; None: as the rule says.

    ``loss`` is what each example loses; another one may be set before the first piece. ``at_once`` is the most examples in a pass, for an engine that
    can add up a larger contribution.
    """

    at_once: int | None = None
    by_example: tuple[str, ...] = ()
    """Kinds of layers that the engine does not know: their gradients are had example by example, which is slower."""

    def __init__(self, network: nn.Module, rule: Bound, layer_scales: LayerScales | None = None) -> None:
        from tasks.models.losses import per_example_loss

        self.network = network
        self.loss: ExampleLoss = per_example_loss
        self.rule = rule
        self.trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
        self._blocks, self._scales = blocks_of(self.trained, layer_scales or rule.layer_scales)

    @abstractmethod
    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """Add the clipped contributions of a batch (as ``Encoded.batch`` gives it) to fp32 sums by parameter name: every example its own, or ``shares``."""

    def bounded(self, norms: Mapping[str, Tensor], count: int) -> tuple[Tensor, dict[str, Tensor]]:
        """(U,) norms over all weights, and what each weight's gradients are multiplied with, from the norms (U,) of every weight that took part."""
        import torch

        from tasks.privacy.engines._norms import together

        whole: list[Tensor] = []
        factors: dict[str, Tensor] = {}
        longest = torch.zeros(count)
        for names, scale in zip(self._blocks, self._scales, strict=True):
            found = [norms[name] for name in names if name in norms]
            if not found:
                continue
            norm = together(found)
            whole.append(norm)
            scaled = norm / scale
            factor = self.rule.factors(scaled)
            factors |= {name: factor for name in names if name in norms}
            longest = torch.maximum(longest.to(scaled.device), scaled)
        self.rule.observe(longest)
        return together(whole) if whole else longest, factors

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
    layers: ClassVar[bool] = True
    """Whether layers can be clipped each by itself."""
    shares: ClassVar[bool] = False
    """Whether several examples can be clipped as one contribution, as a user's are."""
    recomputes: ClassVar[bool] = False
    """Whether it is right where layers are run again in the backward pass, to save memory."""
    looks_inside: ClassVar[bool] = True
    """Whether a network must compute by layers that can be looked into; plain training's faster kernels serve where gradients of whole passes are enough."""
    moves: ClassVar[int] = 1
    """By how many times the clip rule's sensitivity one example can move the sum."""

    @abstractmethod
    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Attach to a network."""

    def fitted(self, network: nn.Module, max_tokens: int, expected: int) -> Engine:
        """As it will be for a network that reads so many tokens, and steps of ``expected`` units."""
        return self

    def contributions(self, expected: int) -> int:
        """How many contributions a step of ``expected`` units has: the public divisor of the noisy sum."""
        return expected

    def sharing(self, records: Tensor, expected: int, key: int) -> Sharing | None:
        """Which examples of a step the engine clips as one, from the record (N,) of each; None: each by itself, or as the unit says."""
        return None


ENGINES = Family("engine", "tasks.privacy.engines", Engine)
