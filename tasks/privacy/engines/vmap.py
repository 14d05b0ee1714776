"""The vmap engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import nn

    from tasks.privacy.clip_rule import Bound


class Vmap(Engine):
    """``torch.func.vmap`` of ``grad``: all examples of a piece at once, a gradient held for each."""

    kind: Literal["vmap"]

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Nothing is attached."""
        from tasks.privacy.engines._vmap import VmapClipper

        return VmapClipper(network, rule)
