"""The reference run of continual learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.federated.timeline import Stream
from tasks.federated.timelines._windowed import Windowed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AllAtOnce(Windowed):
    """Devices hold all their data in every round, as ``static`` has it, and test records are cut into windows, as ``continual`` has it."""

    kind: Literal["all-at-once"]

    def held(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """All."""
        import numpy as np

        return np.ones(len(stream.client), dtype=np.bool_)
