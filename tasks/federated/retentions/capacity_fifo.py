"""First in, first out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class CapacityFifo(Retention):
    """Each device keeps its newest records, as many as it has room for."""

    kind: Literal["capacity-fifo"]
    capacity: int = Field(default=100, ge=1, le=1_000_000_000, description="Records that a device has room for.")

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """The newest of each device, by window, then by order of arrival."""
        from tasks.federated.retentions._ranks import first_of_each

        return first_of_each(stream.client, stream.window <= window, self.capacity, -stream.window, -stream.order)
