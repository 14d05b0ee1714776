"""Cutting records into windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.seeds import numpy_generator
from tasks.data.dataset import DataError

Times = Sequence[str] | NDArray[np.object_]
Windows = NDArray[np.int64]


def cut(by: str, windows: int, times: Sequence[Times], devices: NDArray[np.int64] | None) -> list[Windows]:
    """The window of every record of each split, training records first. Raises DataError."""
    if len(times[0]) < windows:
        raise DataError(f"federation.timeline: {windows} windows need as many training records, there are {len(times[0])}; lower windows")
    if by == "count":
        train = _in_turn(_texts(times[0]), windows) if devices is None else _per_device(_texts(times[0]), devices, windows)
        return [train, *(_in_turn(_texts(part), windows) for part in times[1:])]
    for place, part in enumerate(times):
        _check_there(by, part, "training" if place == 0 else "test")
    found = _by_time(times, windows) if by == "time" else _by_calendar(times, windows)
    empty = np.flatnonzero(np.bincount(found[0], minlength=windows) == 0)
    if len(empty):
        raise DataError(f"federation.timeline: no training record falls into window {empty[0]} of {windows} by {by}; lower windows, or write by: count")
    return found


def _by_time(times: Sequence[Times], windows: int) -> list[Windows]:
    texts = [_texts(part) for part in times]
    starts = _even_starts(texts[0], windows)
    return [np.searchsorted(starts, part, side="right").astype(np.int64) for part in texts]


def _by_calendar(times: Sequence[Times], windows: int) -> list[Windows]:
    seconds = [_seconds(part) for part in times]
    starts = np.linspace(seconds[0].min(), seconds[0].max(), windows + 1)[1:-1]
    return [np.searchsorted(starts, part, side="right").astype(np.int64) for part in seconds]


def _even_starts(times: NDArray[np.object_], windows: int) -> NDArray[np.object_]:
    """(W - 1,) the time at which each window but the first begins: the beginning of a time that lies nearest to an even share of records.

    Records of one time stay together, because test records of that time must fall into the same window."""
    values, counts = np.unique(times, return_counts=True)
    begins = np.cumsum(counts) - counts  # windows can begin where a time begins
    starts: list[int] = [0]
    for window in range(1, windows):
        target = len(times) * window / windows
        lowest, highest = starts[-1] + 1, len(values) - (windows - window)
        if lowest > highest:
            raise DataError(f"federation.timeline: training records have {len(values)} different times, too few for {windows} windows; lower windows")
        starts.append(lowest + int(np.abs(begins[lowest : highest + 1] - target).argmin()))
    return values[starts[1:]]


def _in_turn(times: NDArray[np.object_], windows: int) -> Windows:
    """Windows of equally many records in order of arrival, earlier ones with one more where that does not come out even."""
    sizes = np.full(windows, len(times) // windows) + (np.arange(windows) < len(times) % windows)
    found = np.empty(len(times), dtype=np.int64)
    found[np.argsort(times, kind="stable")] = np.repeat(np.arange(windows), sizes)
    return found


def _per_device(times: NDArray[np.object_], devices: NDArray[np.int64], windows: int) -> Windows:
    """The same for each device's own stream, sizes different by one at most. Where the longer windows lie is a keyed coin of the device:
    otherwise all records of devices with few would fall into the first window."""
    arrival = np.empty(len(times), dtype=np.int64)
    arrival[np.argsort(times, kind="stable")] = np.arange(len(times))
    order = np.lexsort((arrival, devices))
    _, begins, inverse, sizes = np.unique(devices[order], return_index=True, return_inverse=True, return_counts=True)
    rank = np.arange(len(times)) - begins[inverse]
    coins = numpy_generator(0, "window-offset").random(int(devices.max(initial=0)) + 1)[np.maximum(devices[order], 0)]
    found = np.empty(len(times), dtype=np.int64)
    found[order] = np.minimum(((rank + coins) * windows / sizes[inverse]).astype(np.int64), windows - 1)
    return found


def _texts(times: Times) -> NDArray[np.object_]:
    """Times as text, which sorts in time."""
    return np.asarray(times, dtype=object).astype(str).astype(object)


def _seconds(times: Times) -> NDArray[np.float64]:
    """Times as seconds. Raises DataError."""
    try:
        moments = pd.to_datetime(pd.Series(_texts(times), dtype=object), format="ISO8601", utc=True)
    except (ValueError, OverflowError) as error:
        raise DataError(f"federation.timeline: by: calendar needs times such as 2025-01-31 or 2025-01-31T10:20 ({str(error).splitlines()[0]})") from error
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6


def _check_there(by: str, times: Times, split: str) -> None:
    missing = np.flatnonzero(pd.isna(np.asarray(times, dtype=object)))
    if len(missing):
        raise DataError(f"federation.timeline: by: {by} needs a time on every record, and {split} record {missing[0] + 1} has none; write by: count")
