"""Two-state Markov chains, one per device, whose state in any round is a function of that round's and earlier rounds' numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.federated.availabilities._coins import coins


def state(on_to_off: float, off_to_on: float, round: int, devices: int, seed: int, known: tuple[int, NDArray[np.bool_]] | None = None) -> NDArray[np.bool_]:
    """(N,) who is on in a round; ``known`` is an earlier (or the same) round and its states, from which the chain can go on.

    A device is on where its number lies below 1 - on_to_off (if it was on) or off_to_on (if it was off). So a number below both decides that
    it is on, one above both that it is off, and only one between them hands on the state before, or its opposite. Going back from
    the round, each device is followed until a number decides (coupling from the past: Propp and Wilson 1996, here with a fixed beginning).
    """
    stays, comes = 1.0 - on_to_off, off_to_on
    low, high, opposite = min(stays, comes), max(stays, comes), comes > stays
    begin = 0 if known is None else known[0]
    found = np.zeros(devices, dtype=np.bool_)
    left, turned = np.arange(devices), False
    for before in range(round, begin, -1):
        numbers = coins(before, devices, seed)[left]
        decided = (numbers < low) | (numbers >= high)
        found[left[decided]] = (numbers[decided] < low) != turned
        left, turned = left[~decided], turned != opposite
        if not len(left):
            return found
    first = coins(0, devices, seed) < comes / (on_to_off + off_to_on) if known is None else known[1]
    found[left] = first[left] != turned
    return found
