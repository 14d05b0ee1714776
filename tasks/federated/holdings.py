"""Which examples each device holds in a window, found without looking at every device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.federated.timeline import Stream, Timeline


@dataclass(frozen=True)
class Held:
    """What devices hold in one window.

    Args:
        activity: (N,) records per device.
        order: (E,) encoded examples, those of one device together, in the order of the data.
        starts: (N + 1,) where each device's examples begin in ``order``.
    """

    activity: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def rows(self, client: int) -> NDArray[np.int64]:
        """The examples of one device."""
        return self.order[self.starts[client] : self.starts[client + 1]]

    def has_rows(self) -> NDArray[np.bool_]:
        """(N,) whether a device has anything to train on."""
        return np.diff(self.starts) > 0


class Holdings:
    """The training data of all devices over time.

    Args:
        stream: the records as devices receive them; -1 for a record that no device gets.
        records: (E,) the record that each encoded example is of.
        timeline: what is held when.
        seed: of the trial.
    """

    def __init__(self, stream: Stream, records: NDArray[np.int64], timeline: Timeline, seed: int) -> None:
        self._stream, self._records, self._timeline, self._seed = stream, records, timeline, seed

    def at(self, window: int) -> Held:
        """What is held in a window: a function of (seed, window)."""
        client = self._stream.client
        held = self._timeline.held(self._stream, window, self._seed) & (client >= 0)
        activity = np.bincount(client[held], minlength=self._stream.devices)
        rows = np.flatnonzero(held[self._records])
        owner = client[self._records[rows]]
        order = rows[np.argsort(owner, kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=self._stream.devices))])
        return Held(activity.astype(np.int64), order.astype(np.int64), starts.astype(np.int64))
