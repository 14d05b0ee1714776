"""A uniform sample of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class Reservoir(Retention):
    """Each device keeps a uniform sample of everything that it has seen (Vitter 1985, Algorithm R).

    Every record has a priority by the seed, and a device keeps the records of its ``capacity`` smallest priorities. That has Algorithm R's law: in each window
    any set of that size is as likely as any other, and a record that was dropped never comes back.
    """

    kind: Literal["reservoir"]
    capacity: int = Field(default=100, ge=1, le=1_000_000_000, description="Records that a device has room for.")

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """The smallest priorities of what has arrived."""
        from tasks.federated.retentions._priorities import reservoir

        return reservoir(stream, stream.window <= window, self.capacity, seed)
