"""Noise that decays exponentially."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.noises._staged import Staged


class Exponential(Staged):
    """``noise_multiplier`` times ``decay`` to the power of the stage: less noise late, when gradients are small; every stage is composed with its own."""

    kind: Literal["exponential"]
    decay: float = Field(default=0.9, gt=0, le=1, description="What the noise of a stage is of that of the stage before.")

    def share(self, stage: int) -> float:
        """decay ** stage."""
        return self.decay**stage
