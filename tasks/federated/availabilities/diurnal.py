"""Days and nights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ZONES = 24


class Diurnal(Availability):
    """A coin per device and round, whose probability is a wave over the day: mean + amplitude sin(2 pi (round / rounds_per_day + zone / 24)).

    Each device lives in one of 24 time zones, drawn evenly, so that the same hours are not the same people's nights (the daily pattern of
    charging, idle devices that Bonawitz et al., MLSys 2019, describe).
    """

    kind: Literal["diurnal"]
    rounds_per_day: int = Field(default=24, ge=1, le=1_000_000, description="Rounds from one night to the next.")
    mean: float = Field(default=0.5, ge=0, le=1, description="Probability over the whole day.")
    amplitude: float = Field(default=0.4, ge=0, le=0.5, description="How far the probability rises above and falls below the mean.")

    @model_validator(mode="after")
    def _within(self) -> Diurnal:
        if not self.amplitude <= self.mean <= 1 - self.amplitude:
            raise ValueError(f"mean {self.mean:g} and amplitude {self.amplitude:g} leave [0, 1]; lower amplitude to {min(self.mean, 1 - self.mean):g} or less")
        return self

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """A coin each, by the hour where the device is."""
        import numpy as np

        from tasks.federated.availabilities._coins import coins, traits

        zones = (traits("time-zone", len(activity), seed) * ZONES).astype(np.int64)
        hours = (round % self.rounds_per_day) / self.rounds_per_day + np.arange(ZONES) / ZONES
        wave = self.mean + self.amplitude * np.sin(2 * np.pi * hours)
        return coins(round, len(activity), seed) < wave[zones]
