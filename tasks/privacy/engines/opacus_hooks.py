"""Opacus's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import nn

    from tasks.privacy.clip_rule import Bound


class OpacusHooks(Engine):
    """Per-example gradients from each layer's inputs and output gradients (Opacus, Yousefpour et al. 2021). A gradient is held for each example."""

    kind: Literal["opacus-hooks"]

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Hooks on every layer with trained weights."""
        from tasks.privacy.engines._hooks import HooksClipper

        return HooksClipper(network, rule)
