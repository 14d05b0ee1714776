"""What makes a contribution as short as it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.privacy.clip_rule import ROUNDING

if TYPE_CHECKING:
    from torch import Tensor


def shortened(norms: Tensor, bound: float) -> Tensor:
    """min(1, bound / norm), rounded down, (B,) from norms (B,); 0 where the norm is beyond fp32."""
    return (bound * (1 - ROUNDING) / norms.clamp(min=1e-30)).clamp(max=1.0).nan_to_num(nan=0.0)
