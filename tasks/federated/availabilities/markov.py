"""Devices that stay on, and stay off, for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from tasks.federated.availabilities._memory import Memory
from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Markov(Availability):
    """A two-state Markov chain per device, begun in its stationary distribution: on with probability off_to_on / (on_to_off + off_to_on).

    The state of round t follows from (seed, t) alone: it is what running the chain from round 0 gives, with one uniform number per device
    and round. A round after one that was just asked for takes one step; any other is found backwards, and only as far as needed: in most
    rounds a device's number decides its state whatever it was before.
    """

    kind: Literal["markov"]
    on_to_off: float = Field(default=0.1, ge=0, le=1, description="Probability that a device that is on is off in the next round.")
    off_to_on: float = Field(default=0.1, ge=0, le=1, description="Probability that a device that is off is on in the next round.")

    _memory: Memory[tuple[int, Any]] = PrivateAttr(default_factory=Memory)

    @model_validator(mode="after")
    def _moves(self) -> Markov:
        if self.on_to_off == self.off_to_on == 0:
            raise ValueError("on_to_off and off_to_on are both 0, so nothing ever changes; raise one, or use bernoulli or always")
        return self

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """The state of each chain."""
        from tasks.federated.availabilities._chain import state

        key = (self.on_to_off, self.off_to_on, len(activity), seed)
        known = self._memory.recall(key)
        found = state(self.on_to_off, self.off_to_on, round, len(activity), seed, known if known is not None and known[0] <= round else None)
        self._memory.keep(key, (round, found))
        return found.copy()
