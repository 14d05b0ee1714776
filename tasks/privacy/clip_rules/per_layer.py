"""Per-layer clipping."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.blocks import LayerScales
from tasks.privacy.clip_rules.flat import Flat


class PerLayer(Flat):
    """Clip the gradient of each layer by itself, layer l at C_l = s_l C (McMahan et al., ICLR 2018). The squares of s_l add up to 1: sensitivity C."""

    kind: Literal["per-layer"]  # type: ignore[assignment]
    scales: Literal["equal", "by-shape"] = Field(default="equal", description="equal: every layer alike; by-shape: by how many numbers it has.")

    @property
    def layer_scales(self) -> LayerScales:
        """As given."""
        return self.scales
