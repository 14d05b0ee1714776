"""Nothing is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class KeepAll(Retention):
    """Devices keep everything that has arrived."""

    kind: Literal["keep-all"]

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """All that has arrived."""
        arrived: NDArray[np.bool_] = stream.window <= window
        return arrived
