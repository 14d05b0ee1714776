"""Noise that decays exponentially."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.noises._staged import Staged


class Exponential(Staged):
    """``noise_multiplier`` times ``decay`` to the power of the stage, and no less than ``floor`` of it: less noise late, when gradients are small; every
    stage is composed with its own.
    """

    kind: Literal["exponential"]
    decay: float = Field(default=0.9, gt=0, le=1, description="What the noise of a stage is of that of the stage before.")

    floor: float = Field(default=0.0, ge=0, le=1, description="The least that it falls to, as a share of noise_multiplier.")

    def share(self, stage: int) -> float:
        """max(floor, decay ** stage)."""
        return max(self.floor, self.decay**stage)
