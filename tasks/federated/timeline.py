"""Timelines: which data there is at which round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Stream:
    """The training records as devices receive them, in order of arrival within a device.

    Args:
        client: (R,) the device of each record, its index.
        window: (R,) the window in which it arrives, from 0.
        order: (R,) rank in time over all records, ties broken by place.
        devices: N.
    """

    client: NDArray[np.int64]
    window: NDArray[np.int64]
    order: NDArray[np.int64]
    devices: int


class Timeline(Component, ABC):
    """Base of every timeline. ``windowed`` says that data is cut into windows, each with its own test records."""

    windowed: ClassVar[bool] = False

    @property
    def window_count(self) -> int:
        """How many windows there are; 1 where data is not cut."""
        return 1

    def windows_of(self, times: Sequence[Sequence[str] | NDArray[np.object_]], devices: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """The window of every record, from 0, for each of several splits (train first) by their times; ``devices`` is whose each training record
        is. Raises DataError."""
        import numpy as np

        return [np.zeros(len(part), dtype=np.int64) for part in times]

    def cut(self) -> Timeline:
        """The timeline that cuts data into the same windows and decides nothing else: who shares it shares a population."""
        return self

    def at_once(self) -> Timeline:
        """The timeline with the same windows in which all data is there from the first round."""
        return self

    def window_of_round(self, round: int, rounds: int) -> int:
        """The window that a round belongs to."""
        return 0

    @property
    def erases(self) -> bool:
        """Whether devices may leave for good."""
        return False

    def erased(self, devices: int, window: int, seed: int) -> NDArray[np.bool_]:
        """(N,) which devices have left for good by a window: a function of (seed, window)."""
        import numpy as np

        return np.zeros(devices, dtype=np.bool_)

    @abstractmethod
    def held(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """(R,) which training records are on devices during a window: a function of (seed, window), not of history."""


TIMELINES = Family("timeline", "tasks.federated.timelines", Timeline)
