"""Traces as arrays: who is on at a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.data.dataset import DataError
from tasks.federated.availabilities._coins import traits
from tasks.federated.availabilities._trace_files import read


@dataclass(frozen=True)
class Traces:
    """K recorded traces and their S stretches of being on.

    Args:
        came, went: (S,) first and last second of each stretch.
        owner: (S,) the trace of each stretch.
        ends: (K,) second at which each trace begins again.
    """

    came: NDArray[np.float64]
    went: NDArray[np.float64]
    owner: NDArray[np.int64]
    ends: NDArray[np.float64]

    @staticmethod
    def of(path: Path) -> Traces:
        """The traces of a file, sorted by name. Raises DataError."""
        try:
            found = list(read(path).values())
        except ValueError as error:
            raise DataError(f"federation.availability: {error}") from error
        owner = np.repeat(np.arange(len(found)), [len(came) for came, _, _ in found])
        came = np.array([second for trace in found for second in trace[0]], dtype=np.float64)
        went = np.array([second for trace in found for second in trace[1]], dtype=np.float64)
        return Traces(came, went, owner, np.array([end for _, _, end in found]))

    def on(self, second: float) -> NDArray[np.bool_]:
        """(K,) which traces are on."""
        now = (second % self.ends)[self.owner]
        inside = self.owner[(self.came <= now) & (now <= self.went)]
        return np.bincount(inside, minlength=len(self.ends)) > 0

    def dealt(self, devices: int, seed: int) -> NDArray[np.int64]:
        """(N,) the trace that each device follows."""
        return (traits("trace", devices, seed) * len(self.ends)).astype(np.int64)
