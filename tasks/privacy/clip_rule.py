"""Clip rules: how far one contribution may move the sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from tasks.core.component import Component, Family
from tasks.privacy.blocks import LayerScales

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 2e-6
"""How much smaller a factor is made, so that rounding in a norm of millions of numbers cannot lift a contribution over the bound."""


class Bound(Protocol):
    """A rule at work. A fixed one is its own; one that adapts changes between steps."""

    @property
    def layer_scales(self) -> LayerScales:
        """How the bound is divided among layers."""

    @property
    def sensitivity(self) -> float:
        """The most that a contribution moves the sum in this step."""

    def factors(self, norms: Tensor) -> Tensor:
        """What each contribution is multiplied with, (B,) from its norm (B,)."""

    def observe(self, norms: Tensor) -> None:
        """Told the norms (B,) of contributions that were clipped."""


class ClipRule(Component, ABC):
    """Base of every clip rule."""

    @property
    def layer_scales(self) -> LayerScales:
        """How the bound is divided among layers."""
        return "none"

    @property
    @abstractmethod
    def sensitivity(self) -> float:
        """The most that adding one contribution can change the clipped sum (L2), by a factor of 1 + 1e-6."""

    @abstractmethod
    def factors(self, norms: Tensor) -> Tensor:
        """What each contribution is multiplied with, (B,) from its L2 norm (B,) over all trained weights, in fp32."""

    def observe(self, norms: Tensor) -> None:
        """Told the norms (B,) of contributions that were clipped; a fixed rule has no use for them."""

    def begin(self) -> Bound:
        """The rule at work in one training."""
        return self

    def sum_multiplier(self, noise_multiplier: float, contributions: int) -> float:
        """The noise multiplier of the sum alone, where the rule releases something beside it: together they cost what ``noise_multiplier`` does."""
        return noise_multiplier


CLIP_RULES = Family("clip-rule", "tasks.privacy.clip_rules", ClipRule)
