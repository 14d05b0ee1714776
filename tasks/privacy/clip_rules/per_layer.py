"""Per-layer clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.blocks import LayerScales
from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.clip_rules._shortened import shortened

if TYPE_CHECKING:
    from torch import Tensor


class PerLayer(ClipRule):
    """Clip the gradient of each layer by itself, layer l at C_l = s_l C (McMahan et al., ICLR 2018). The squares of s_l add up to 1: sensitivity C."""

    kind: Literal["per-layer"]
    l2_clip_norm: float = Field(default=1.0, gt=0, le=1e6, description="The longest that a contribution may be over all layers, C.")
    scales: Literal["equal", "by-shape"] = Field(default="equal", description="equal: every layer alike; by-shape: by how many numbers it has.")

    @property
    def layer_scales(self) -> LayerScales:
        """As given."""
        return self.scales

    @property
    def sensitivity(self) -> float:
        """C."""
        return self.l2_clip_norm

    def factors(self, norms: Tensor) -> Tensor:
        """min(1, C / norm) of a layer's norm over its scale, rounded down; 0 where the norm is beyond fp32."""
        return shortened(norms, self.l2_clip_norm)
