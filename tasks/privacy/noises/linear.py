"""Noise that falls along a line."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.noises._staged import Staged


class LinearDecay(Staged):
    """From ``noise_multiplier`` in the first stage to ``last`` times it in the last; every stage is composed with its own."""

    kind: Literal["linear"]
    last: float = Field(default=0.5, gt=0, le=1, description="What the noise of the last stage is of that of the first.")

    def share(self, stage: int) -> float:
        """Between 1 and last."""
        return 1 - (1 - self.last) * stage / max(1, self.stages - 1)
