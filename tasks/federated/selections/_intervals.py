"""How often devices take part, from the intervals between their rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.federated.selections._cohorts import flattened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tasks.federated.history import Heard


def mean_intervals(rounds: Sequence[Heard], devices: int, wanted: NDArray[np.int64], cutoff: int) -> NDArray[np.float64]:
    """(K,) mean participation interval of the wanted devices so far (FedAU, Algorithm 2); 1 where none has ended yet.

    An interval ends when a device takes part, and after ``cutoff`` rounds in any case. So a gap of g rounds up to a participation is
    ceil(g / cutoff) intervals, and r rounds without one since are floor(r / cutoff) intervals of ``cutoff`` rounds.
    """
    place = np.full(devices, -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    clients, number = flattened([heard.clients for heard in rounds])
    ours = place[clients] >= 0
    owner, number = place[clients[ours]], number[ours]
    order = np.argsort(owner, kind="stable")
    owner, number = owner[order], number[order]
    before = np.concatenate([[-1], number[:-1]])
    before[np.flatnonzero(np.diff(owner, prepend=-1))] = -1
    intervals = np.bincount(owner, weights=-((before - number) // cutoff), minlength=len(wanted))
    last = np.full(len(wanted), -1, dtype=np.int64)
    np.maximum.at(last, owner, number)
    cut = (len(rounds) - 1 - last) // cutoff
    intervals += cut
    return np.where(intervals > 0, (last + 1 + cut * cutoff) / np.maximum(intervals, 1), 1.0)
