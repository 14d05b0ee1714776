"""Temporal silos: one device per stretch of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class TimeWindows(Partition):
    """Records sorted by time and cut into equal parts, each a device: silos that differ in when their data was made.

    A test record lies in the window that its own time falls in; the first and the last window are open. Records of one time, on a
    cut, may lie on both sides in training.
    """

    equal_sizes: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("time",)
    by_seed: ClassVar[bool] = False

    kind: Literal["time-windows"]
    windows: int = Field(gt=0, description="Number of windows, each a device.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """The window of each record by the rank of its time."""
        from tasks.federated.partitions._naming import named

        return named(self._windows(records), self.windows, "window", 2)

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Windows, of which each lies on one device."""
        import numpy as np

        windows, times = self._windows(train), self._times(train)
        begins = np.array([times[windows == window].min() for window in range(self.windows)])
        found = np.searchsorted(begins, self._times(test), side="right") - 1
        return windows, np.maximum(found, 0).astype(np.int64)

    def _windows(self, records: pd.DataFrame) -> NDArray[np.int64]:
        import numpy as np

        from tasks.federated.partitions._naming import check, even

        times = self._times(records)
        check(self.kind, records, (), self.windows, field="windows")
        windows = np.empty(len(records), dtype=np.int64)
        windows[np.argsort(times, kind="stable")] = np.repeat(np.arange(self.windows), even(len(records), self.windows))
        return windows

    def _times(self, records: pd.DataFrame) -> NDArray[np.object_]:
        """Times as text, which sort in time. Raises DataError where one is missing."""
        from tasks.data.dataset import DataError
        from tasks.federated.partitions._naming import check

        check(self.kind, records, self.columns)
        missing = records["time"].isna().to_numpy()
        if missing.any():
            raise DataError(f"partition {self.kind}: record {int(missing.argmax()) + 1} has no time")
        return records["time"].astype(str).to_numpy(dtype=object)
