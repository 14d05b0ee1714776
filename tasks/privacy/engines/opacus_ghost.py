"""Opacus's ghost clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import nn

    from tasks.privacy.clip_rule import Bound


class OpacusGhost(Engine):
    """Norms without gradients, then a second backward pass of the reweighted loss (Li et al., ICLR 2022; Bu et al. 2022).

    The sum is not of the very numbers whose norms were taken, so it is exact to fp32 rounding alone: no bf16. Layers that share
    a weight are refused.
    """

    tied_weights: ClassVar[bool] = False
    half_precision: ClassVar[bool] = False
    copies: ClassVar[bool] = False
    layers: ClassVar[bool] = False

    kind: Literal["opacus-ghost"]

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Hooks on every layer with trained weights."""
        from tasks.privacy.engines._ghost import GhostClipper

        return GhostClipper(network, rule)
