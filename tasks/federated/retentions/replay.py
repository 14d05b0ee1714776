"""Experience replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class Replay(Retention):
    """Each device keeps all of the current window, and k of its older records (Rolnick et al., NeurIPS 2019).

    The older ones are a uniform sample of everything before the window, kept as ``reservoir`` keeps one: what was dropped never comes back.
    """

    kind: Literal["replay"]
    k: int = Field(default=50, ge=0, le=1_000_000_000, description="Older records that a device keeps.")

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """The window, and the smallest priorities of what came before."""
        from tasks.federated.retentions._priorities import reservoir

        kept = reservoir(stream, stream.window < window, self.k, seed)
        kept |= stream.window == window
        return kept
