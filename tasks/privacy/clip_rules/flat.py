"""Flat clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.clip_rules._shortened import shortened

if TYPE_CHECKING:
    from torch import Tensor


class Flat(ClipRule):
    """Scale a gradient down to the norm C where it is longer: g min(1, C / |g|) (Abadi et al., CCS 2016). Sensitivity C."""

    kind: Literal["flat"]
    l2_clip_norm: float = Field(default=1.0, gt=0, le=1e6, description="The longest that a contribution may be, C.")

    @property
    def sensitivity(self) -> float:
        """C."""
        return self.l2_clip_norm

    def factors(self, norms: Tensor) -> Tensor:
        """min(1, C / norm), rounded down; 0 where the norm is beyond fp32."""
        return shortened(norms, self.l2_clip_norm)
