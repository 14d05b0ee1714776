"""The last windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class LastWindows(Retention):
    """Devices keep what arrived in the last k windows, the current one included."""

    kind: Literal["last-windows"]
    k: int = Field(default=1, ge=1, le=10_000, description="How many windows, the current one included.")

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """The last k windows."""
        recent: NDArray[np.bool_] = (stream.window <= window) & (stream.window > window - self.k)
        return recent
