"""Clip rules: how far one contribution may move the sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 2e-6
"""How much smaller a factor is made, so that rounding in a norm of millions of numbers cannot lift a contribution over the bound."""


class ClipRule(Component, ABC):
    """Base of every clip rule."""

    @property
    @abstractmethod
    def sensitivity(self) -> float:
        """The most that adding one contribution can change the clipped sum (L2), by a factor of 1 + 1e-6."""

    @abstractmethod
    def factors(self, norms: Tensor) -> Tensor:
        """What each contribution is multiplied with, (B,) from its L2 norm (B,) over all trained weights, in fp32."""


CLIP_RULES = Family("clip-rule", "tasks.privacy.clip_rules", ClipRule)
