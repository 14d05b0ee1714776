"""A coin per device and round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Bernoulli(Availability):
    """Each device can be asked with the same probability, independently of the others and of other rounds."""

    kind: Literal["bernoulli"]
    probability: float = Field(default=0.5, ge=0, le=1, description="Probability that a device can be asked in a round.")

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """A coin each."""
        from tasks.federated.availabilities._coins import coins

        return coins(round, len(activity), seed) < self.probability
