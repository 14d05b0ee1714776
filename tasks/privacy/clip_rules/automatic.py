"""Automatic clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.clip_rule import ROUNDING, ClipRule

if TYPE_CHECKING:
    from torch import Tensor


class Automatic(ClipRule):
    """Normalise every gradient, the small ones less: g / (|g| + stability) (AUTO-S: Bu et al., NeurIPS 2023). There is no clip norm to tune; sensitivity 1."""

    kind: Literal["automatic"]
    stability: float = Field(default=0.01, gt=0, le=1e6, description="Keeps a gradient that is nearly nothing from becoming one of length 1.")

    @property
    def sensitivity(self) -> float:
        """1: |g| / (|g| + stability) is below it."""
        return 1.0

    def factors(self, norms: Tensor) -> Tensor:
        """1 / (norm + stability), rounded down; 0 where the norm is beyond fp32."""
        return ((1 - ROUNDING) / (norms + self.stability)).nan_to_num(nan=0.0)
