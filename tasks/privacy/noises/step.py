"""Noise that falls in steps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.noises._staged import Staged


class StepDecay(Staged):
    """``factor`` times less after every ``every`` stages; every stage is composed with its own."""

    kind: Literal["step"]
    factor: float = Field(default=0.5, gt=0, le=1, description="What the noise is of what it was, after each fall.")
    every: int = Field(default=3, ge=1, description="Stages between two falls.")

    def share(self, stage: int) -> float:
        """factor ** (stage // every)."""
        return float(self.factor ** (stage // self.every))
