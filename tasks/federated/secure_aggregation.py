"""Secure aggregation: the server sees the sum of the cohort's updates and no device's own."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.errors import UserError

WIDTHS = (32, 64)
FEWEST = 3
"""Devices in a round: of two, each knows the other's update from the sum."""
SMALL = 32
"""Up to so many devices, all are neighbours of all."""
CORRUPT = 0.2
"""The share of devices that may show the server all they know, at most, for which neighbours are counted."""
SECRECY, SUCCESS = -40.0, -30.0
"""log2 of the probability that a round's graph lets the server see less than the sum of all, and that a round fails, as Bell et al. choose it."""


class SecureAggregation(BaseModel):
    """Pairwise masks that cancel in the sum, after Bonawitz et al. (CCS 2017) on the sparse graph of Bell et al. (CCS 2020).

    Weights are applied on the device, which the server tells its weight: it knows all that a weight is made of. Where weights are divided
    by their sum over those who answered, a device of a deployment would send its weight before the division, and the server divide the
    sum; in one process who answers is known before, and what is summed is divided already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: float = Field(default=0.67, gt=0.5, le=1, description="Share of a device's neighbours whose shares unmask; with fewer the round is refused.")
    neighbours: Literal["auto"] | Annotated[int, Field(ge=2)] = Field(
        default="auto", description="Devices that each shares masks with; auto: as many as cohort and dropouts ask for."
    )
    bits: int = Field(default=20, ge=1, le=40, description="Fraction bits of the fixed point: a sum over m devices is off by m / 2^(bits + 1) at most.")
    clip_range: float = Field(default=8.0, gt=0, le=2**20, description="Largest absolute value in a device's weighted update; a larger one is refused.")
    dropouts: float = Field(default=0.05, ge=0, lt=0.5, description="Share of devices that may fail to answer, beside those asked to spare; auto is for it.")

    def width(self, devices: int) -> int | None:
        """Bits of the narrower modulus in which a sum over so many devices fits; None where none does."""
        largest = devices * math.ceil(self.clip_range * 2**self.bits)
        return next((width for width in WIDTHS if largest < 2 ** (width - 1)), None)

    def shares_needed(self, neighbours: int) -> int:
        """How many of a device's neighbours must answer: the threshold to the nearest whole, and more than half."""
        return max(neighbours // 2 + 1, round(self.threshold * neighbours))

    def neighbours_of(self, devices: int, away: int) -> int:
        """How many neighbours each of so many devices has, ``away`` of them asked to spare. Raises UserError where no number is enough."""
        if devices < FEWEST:
            raise UserError(f"secure aggregation over {devices} devices would show what one of them sends: ask at least {FEWEST}")
        needed = self.needed(devices, away)
        return needed if isinstance(self.neighbours, str) else min(devices - 1, max(needed, self.neighbours))

    def needed(self, devices: int, away: int) -> int:
        """The fewest neighbours with which a round keeps to SECRECY and SUCCESS; among few devices, all. Raises UserError where all are not enough."""
        if devices > SMALL:
            return _needed(self, devices, away + math.ceil(self.dropouts * devices))
        if devices - 1 - away < self.shares_needed(devices - 1):
            raise UserError(_too_many(devices, away))
        return devices - 1


@lru_cache(maxsize=4096)
def _needed(block: SecureAggregation, devices: int, away: int) -> int:
    """See SecureAggregation.needed: even numbers in turn, then all others."""
    candidates: list[int] = [*range(2, devices - 1, 2), devices - 1]
    corrupt = math.floor(CORRUPT * devices)
    for neighbours in candidates:
        if _suffices(devices, neighbours, block.shares_needed(neighbours), away, corrupt):
            return neighbours
    raise UserError(_too_many(devices, away))


def _too_many(devices: int, away: int) -> str:
    return (
        f"federation.secure_aggregation: where {away} of {devices} devices drop out, too few shares of some are left however many neighbours they have: "
        "lower threshold, dropouts or over_selection"
    )


def _suffices(devices: int, neighbours: int, threshold: int, away: int, corrupt: int) -> bool:
    """Whether three things are rare enough, each by a union bound over devices (after Bell et al. 2020; the circle's order is random).

    A device has ``threshold`` corrupt neighbours, who could unmask it; half its neighbours, in a row on the circle, are corrupt or away, without
    which the graph of the others is connected; fewer than ``threshold`` of its neighbours answer.
    """
    every = math.log2(devices)
    read = every + _tail(devices - 1, corrupt, neighbours, threshold)
    half = neighbours // 2
    cut = -math.inf if neighbours == devices - 1 else every + _log2_choose(corrupt + away, half) - _log2_choose(devices, half)
    lost = every + _tail(devices - 1, away, neighbours, neighbours - threshold + 1)
    return max(read, cut) <= SECRECY - 1 and lost <= SUCCESS


def _tail(population: int, marked: int, drawn: int, least: int) -> float:
    """log2 of the probability that ``least`` or more of those drawn without replacement are marked."""
    terms = [_log2_choose(marked, hit) + _log2_choose(population - marked, drawn - hit) for hit in range(least, min(marked, drawn) + 1)]
    largest = max(terms, default=-math.inf)
    if largest == -math.inf:
        return largest
    return largest + math.log2(sum(2.0 ** (term - largest) for term in terms)) - _log2_choose(population, drawn)


def _log2_choose(of: int, count: int) -> float:
    if not 0 <= count <= of:
        return -math.inf
    return (math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)) / math.log(2)
