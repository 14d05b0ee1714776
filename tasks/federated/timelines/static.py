"""All data from the first round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.federated.timeline import Stream, Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Static(Timeline):
    """Devices hold all their data in every round, and it is not cut into windows."""

    kind: Literal["static"]

    def held(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """All."""
        import numpy as np

        return np.ones(len(stream.client), dtype=np.bool_)
