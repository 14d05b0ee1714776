"""Private sums at checks: what devices hand over of their test records, and what all checks of a training cost together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.privacy.accounts import spend, together
from tasks.privacy.mechanism import Mechanism, Release
from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.privacy import default_delta


class PrivateSums(BaseModel):
    """At a check each device that is asked hands over the sums of its own test records, at most so many of them, and the sum over devices gets Gaussian noise.

    The score is that of the noisy sums: of records, not the mean over devices. ``devices`` of ``data.public_size`` are asked, each by a keyed coin
    of its own, the same ones at every check, so nothing is amplified by sampling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_epsilon: float | None = Field(default=None, gt=0, le=1000, description="Of all checks of a training together; or give noise_multiplier.")
    noise_multiplier: float | None = Field(
        default=None, gt=0, le=1e5, description="Deviation of the noise over the most that a device moves the sums; or give target_epsilon."
    )
    delta: float | None = Field(default=None, gt=0, lt=1, description="Without it, 1 / (10 public_size).")
    most_records: int = Field(default=10, ge=1, le=1_000_000, description="Test records of a device that count at most, drawn by a keyed hash.")
    most_loss: float | None = Field(default=None, gt=0, description="Of metrics of losses: what a record's loss is cut at, a public number.")

    @model_validator(mode="after")
    def _one_amount(self) -> PrivateSums:
        if (self.target_epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("give exactly one of target_epsilon and noise_multiplier")
        return self


@dataclass(frozen=True)
class Checks:
    """So many releases over the same devices: who is asked once is asked each time."""

    count: int

    def releases(self, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """What an accountant composes."""
        return (Release(noise_multiplier, None, self.count),)


@dataclass(frozen=True)
class Price:
    """What the checks of a training cost by themselves.

    Args:
        noise_multiplier: given, or calibrated.
        releases: what they add to an account.
        delta: at which their own epsilon holds.
    """

    noise_multiplier: float
    releases: tuple[Release, ...]
    delta: float

    @property
    def epsilon(self) -> float:
        """Of the checks alone, by PLD."""
        return together(Counter([Mechanism(self.releases)]), self.delta)


def price_of(block: PrivateSums | None, checks: int, public_size: int | None) -> Price | None:
    """The price of so many checks; None where they are not private, or the public number of devices is missing, which a rule refuses."""
    if block is None or public_size is None:
        return None
    delta = block.delta or default_delta(public_size)
    constant = NOISES.parse({"kind": "constant"})
    assert isinstance(constant, Noise)
    given = Checks(checks)
    multiplier, mechanism, _ = spend(given.releases, constant, "add-remove", None, "pld", delta, block.target_epsilon, block.noise_multiplier)
    return Price(multiplier, mechanism.releases, delta)
