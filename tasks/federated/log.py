"""The log of a federated training: one row per device asked in a round, from which history and measures follow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.federated.history import Heard, History


@dataclass(frozen=True)
class RoundLog:
    """One round; all arrays are over the devices asked, ascending.

    Args:
        client: index of the device.
        answered: whether its update was used.
        draws: how often it was drawn.
        expected: expected draws given who was available, NaN where not known.
        weight: what its update was multiplied with, 0 where it was not used.
        activity: records it held.
        examples, steps: given to train on, local steps; where devices label examples themselves, they leave some of them.
        mean_loss, rms_loss: of the examples as it trained on them, NaN where it did not answer.
        seconds: how long it took, simulated.
    """

    client: NDArray[np.int64]
    answered: NDArray[np.bool_]
    draws: NDArray[np.int64]
    expected: NDArray[np.float64]
    weight: NDArray[np.float64]
    activity: NDArray[np.int64]
    examples: NDArray[np.int64]
    steps: NDArray[np.int64]
    mean_loss: NDArray[np.float64]
    rms_loss: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def heard(self) -> Heard:
        """What the server learns from it."""
        used = self.answered
        return Heard(self.client, self.client[used], self.mean_loss[used], self.rms_loss[used], self.examples[used], self.seconds[used])


COLUMNS = tuple(field.name for field in fields(RoundLog))


class Log:
    """All rounds so far, with the history that strategies see."""

    def __init__(self, devices: int) -> None:
        self.history = History(devices)
        self.rounds: list[RoundLog] = []

    def add(self, entry: RoundLog) -> None:
        """One more round."""
        self.rounds.append(entry)
        self.history.extend([entry.heard()])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Columns over all rows, and ``round``."""
        sizes = np.array([len(entry.client) for entry in self.rounds], dtype=np.int64)
        found: dict[str, NDArray[Any]] = {"round": np.repeat(np.arange(len(self.rounds)), sizes)}
        for name in COLUMNS:
            parts = [getattr(entry, name) for entry in self.rounds]
            found[name] = np.concatenate(parts) if parts else np.zeros(0)
        return found

    @staticmethod
    def of(devices: int, rounds: int, arrays: Mapping[str, NDArray[Any]]) -> Log:
        """Read back what ``arrays`` gave after so many rounds."""
        log = Log(devices)
        for entry in _split(rounds, arrays):
            log.add(entry)
        return log


def _split(rounds: int, arrays: Mapping[str, NDArray[Any]]) -> Iterator[RoundLog]:
    ends = np.searchsorted(arrays["round"], np.arange(rounds + 1))
    for start, end in itertools.pairwise(ends):
        yield RoundLog(**{name: arrays[name][start:end] for name in COLUMNS})
