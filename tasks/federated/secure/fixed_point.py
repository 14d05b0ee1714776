"""Fixed point: numbers as integers modulo 2^32 or 2^64, so that masks can cancel exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.core.errors import UserError
from tasks.federated.secure.messages import Unsigned
from tasks.federated.secure_aggregation import SecureAggregation

PIECE = 1 << 16
"""Numbers that are encoded at once: what is made on the way stays in the cache."""


@dataclass(frozen=True)
class FixedPoint:
    """A number x is the integer nearest to x 2^bits, modulo 2^width; one above half the modulus stands for itself less the modulus.

    Args:
        bits: of the fraction.
        clip_range: no number's absolute value may be larger.
        width: 32 or 64.
        inward: round towards 0 and not to the nearest: no vector gets longer, so that one that was clipped stays within the clip.
    """

    bits: int
    clip_range: float
    width: int
    inward: bool = False

    @staticmethod
    def of(block: SecureAggregation, devices: int, inward: bool = False) -> FixedPoint:
        """The narrower width in which the sum over so many devices fits. Raises UserError where none does."""
        width = block.width(devices)
        if width is None:
            raise UserError(
                f"federation.secure_aggregation: sums over {devices} devices of numbers up to {block.clip_range:g} with {block.bits} fraction bits "
                "do not fit 64 bits: lower clip_range or bits"
            )
        return FixedPoint(block.bits, block.clip_range, width, inward)

    def encode(self, values: NDArray[np.float64]) -> Unsigned:
        """(D,) numbers as integers. Raises UserError where one is beyond the range, or is not a number."""
        whole = np.trunc if self.inward else np.rint
        found = np.empty(len(values), dtype=f"u{self.width // 8}")
        for start in range(0, len(values), PIECE):
            piece = values[start : start + PIECE]
            largest = float(np.max(np.abs(piece)))
            if not largest <= self.clip_range:
                raise UserError(
                    f"a device's weighted update holds {largest:.3g}, and secure aggregation encodes no number beyond {self.clip_range:g}: raise "
                    "federation.secure_aggregation.clip_range, or let devices train with a lower learning rate"
                )
            found[start : start + PIECE] = whole(piece * 2.0**self.bits).astype(np.int64).astype(found.dtype)
        return found

    def decode(self, total: Unsigned) -> NDArray[np.float64]:
        """(D,) the numbers that integers stand for."""
        return total.view(f"i{self.width // 8}") * 2.0**-self.bits

    def precision(self, devices: int) -> float:
        """How far a sum over so many devices can be from that of their numbers: half a unit of the fraction each, or a whole one inward.

        A sum of more than 2^(53 - bits) is a float64 of fewer fraction bits than were added, and loses up to 2^-53 of itself more.
        """
        return float(devices * 2.0 ** -(self.bits + (not self.inward)))
