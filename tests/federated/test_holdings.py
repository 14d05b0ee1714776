"""What devices hold in a window, against a slow twin."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.federated.holdings import Holdings
from tasks.federated.timeline import Stream, Timeline


class Last(Timeline):
    """Holds the records of the window alone."""

    kind: Literal["last"]

    def held(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        return np.asarray(stream.window == window)


def stream(records: int = 200, devices: int = 12, windows: int = 3) -> Stream:
    generator = np.random.default_rng(0)
    client = generator.integers(-1, devices, size=records)
    return Stream(client, generator.integers(windows, size=records), np.arange(records), devices)


def test_activity_and_examples_are_those_of_a_slow_twin() -> None:
    given = stream()
    owner_of_row = np.repeat(np.arange(200), np.random.default_rng(1).integers(1, 4, size=200))
    for window in range(3):
        held = Holdings(given, owner_of_row, Last(kind="last"), 0).at(window)
        for client in range(given.devices):
            records = [record for record in range(200) if given.client[record] == client and given.window[record] == window]
            assert held.activity[client] == len(records)
            assert held.rows(client).tolist() == [row for row, record in enumerate(owner_of_row) if record in records]
            assert held.has_rows()[client] == bool(records)


def test_records_of_no_device_are_held_by_none() -> None:
    given = Stream(np.full(5, -1), np.zeros(5, dtype=np.int64), np.arange(5), 2)
    held = Holdings(given, np.arange(5), Last(kind="last"), 0).at(0)
    assert held.activity.tolist() == [0, 0] and not held.has_rows().any() and not len(held.order)
