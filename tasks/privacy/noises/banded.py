"""Noise that is correlated from step to step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.privacy.noises.constant import Constant


class Banded(Constant):
    """Banded matrix factorization: the noise of a step takes back a part of that of the ``bands`` - 1 steps before it, so that what the model adds up has
    less of it (Choquette-Choo et al., NeurIPS 2023). The factor is the square root of the matrix of prefix sums, cut to its bands (Kalinin and Lampert,
    NeurIPS 2024). Needs ``sampler: {kind: cyclic}`` with a separation of at least ``bands``.
    """

    kind: Literal["banded"]  # type: ignore[assignment]
    bands: int = Field(default=8, ge=1, le=10_000, description="How many steps the noise of one reaches, b; 1: independent.")

    @property
    def coefficients(self) -> tuple[float, ...]:
        """c_0 = 1, c_j = c_{j-1} (1 - 1 / (2 j)): of (1 - x)^(-1/2)."""
        found = [1.0]
        for index in range(1, self.bands):
            found.append(found[-1] * (1 - 1 / (2 * index)))
        return tuple(found)
