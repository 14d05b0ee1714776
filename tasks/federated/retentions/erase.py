"""People who leave and take their data with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class Erase(Retention):
    """From a window on, some devices hold nothing, and nothing more arrives on them; the others keep everything, or the last k windows.

    Each device is among those that leave by a coin of its own by the seed. What the model learnt from them before is not undone. Their test
    records count apart: nobody who left is asked to score a model, or among those whom it serves.
    """

    erases: ClassVar[bool] = True

    kind: Literal["erase"]
    share: float = Field(default=0.1, ge=0, le=1, description="Probability that a device is erased.")
    window: int = Field(default=1, ge=1, le=10_000, description="Window, counted from 0, from whose beginning on it holds nothing.")
    k: int | None = Field(default=None, ge=1, le=10_000, description="Windows that all others keep, the current one included; null: all.")

    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """What others keep, without the devices that left."""
        import numpy as np

        kept: NDArray[np.bool_] = stream.window <= window
        if self.k is not None:
            kept &= stream.window > window - self.k
        left = self.erased(stream.devices, window, seed)
        return kept & ~(left[np.maximum(stream.client, 0)] & (stream.client >= 0)) if left.any() else kept

    def erased(self, devices: int, window: int, seed: int) -> NDArray[np.bool_]:
        """Nobody before the window, then those whose coin says so."""
        import numpy as np

        from tasks.core.seeds import numpy_generator

        if window < self.window:
            return np.zeros(devices, dtype=np.bool_)
        return numpy_generator(seed, "erase").random(devices) < self.share
