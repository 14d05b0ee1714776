"""Retention: which of the records that it has seen a device still holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.timeline import Stream


class Retention(Component, ABC):
    """Base of every retention rule. ``erases`` says that devices may leave for good."""

    erases: ClassVar[bool] = False

    @abstractmethod
    def kept(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """(R,) which records devices hold in a window, those arriving in it included; never one of a later window."""

    def erased(self, devices: int, window: int, seed: int) -> NDArray[np.bool_]:
        """(N,) which devices have left for good by a window, with all that they held."""
        import numpy as np

        return np.zeros(devices, dtype=np.bool_)


RETENTIONS = Family("retention", "tasks.federated.retentions", Retention)
