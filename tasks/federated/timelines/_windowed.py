"""What timelines that cut data into windows share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.timeline import Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

By = Literal["time", "calendar", "count"]


class Windowed(Timeline):
    """Windows of data, and rounds split evenly over them; where that does not come out even, earlier windows get one round more."""

    windowed: ClassVar[bool] = True

    windows: int = Field(ge=2, le=10_000, description="How many windows data is cut into; rounds are split evenly over them.")
    by: By = Field(
        default="time",
        description="time: windows of about equally many training records, cut at points in time; calendar: of equal length in time; "
        "count: of equally many records in order of arrival, for data without times.",
    )

    @property
    def window_count(self) -> int:
        """As many as the spec says."""
        return self.windows

    def windows_of(self, times: Sequence[Sequence[str] | NDArray[np.object_]], devices: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """The window of every record, from 0, for each split (train first). Raises DataError.

        Points in time follow from the training records alone: test records before the first fall into the first window, those after the
        last into the last. ``count`` cuts each split in its own order of arrival (by time where there is one, then by place); where ``devices``
        says whose each training record is, each device's own stream.
        """
        from tasks.federated.timelines._cuts import cut

        return cut(self.by, self.windows, times, devices)

    def window_of_round(self, round: int, rounds: int) -> int:
        """Even shares of rounds."""
        size, more = divmod(rounds, self.windows)
        longer = more * (size + 1)
        if round < longer:
            return round // (size + 1)
        return min(more + (round - longer) // max(1, size), self.windows - 1)
