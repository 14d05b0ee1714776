"""The loop engine: the oracle of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import nn

    from tasks.privacy.clip_rule import Bound


class Loop(Engine):
    """One forward and one backward pass per example. Slow, and right for every network."""

    copies: ClassVar[bool] = False
    recomputes: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    kind: Literal["loop"]

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Nothing is attached."""
        from tasks.privacy.engines._loop import LoopClipper

        return LoopClipper(network, rule)
