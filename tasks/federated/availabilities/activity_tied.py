"""Availability that goes with activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ActivityTied(Availability):
    """A coin per device and round, whose probability rises evenly with the device's rank by activity (or falls: ``favours: light``).

    Devices of equal activity share their middle rank, and so their probability. Every strategy inherits the bias: even a uniform draw
    from the available is no longer uniform over devices.
    """

    kind: Literal["activity-tied"]
    lowest: float = Field(default=0.2, ge=0, le=1, description="Probability at the disfavoured end of activity.")
    highest: float = Field(default=0.8, ge=0, le=1, description="Probability at the favoured end of activity.")
    favours: Literal["heavy", "light"] = Field(default="heavy", description="Whether active devices (heavy) or inactive ones (light) can be asked more often.")

    @model_validator(mode="after")
    def _ordered(self) -> ActivityTied:
        if self.lowest > self.highest:
            raise ValueError(f"lowest ({self.lowest:g}) must not exceed highest ({self.highest:g}); favours says who gets which")
        return self

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """A coin each, by rank."""
        from tasks.federated.availabilities._coins import coins
        from tasks.federated.availabilities._ranks import relative_ranks

        ranks = relative_ranks(activity)
        if self.favours == "light":
            ranks = 1.0 - ranks
        return coins(round, len(activity), seed) < self.lowest + (self.highest - self.lowest) * ranks
