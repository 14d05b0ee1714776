"""A round of secure aggregation in memory: devices and a server that know each other by messages alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.federated.secure.device import Device
from tasks.federated.secure.fixed_point import FixedPoint
from tasks.federated.secure.keys import SECRET_BYTES, derived
from tasks.federated.secure.server import Server
from tasks.federated.secure_aggregation import SecureAggregation

Roots = Callable[[str], bytes]


class Sized(Protocol):
    """A message."""

    @property
    def size(self) -> int:
        """Bytes."""


M = TypeVar("M", bound=Sized)


def secret(purpose: str) -> bytes:
    """32 bytes of the operating system."""
    return os.urandom(SECRET_BYTES)


def simulated(seed: int, round: int) -> Roots:
    """Roots that follow from a seed, for studies that are to be repeated: whoever knows the seed can take every mask off."""
    key = seed.to_bytes(-(-seed.bit_length() // 8) or 1, "big")
    return lambda purpose: derived(key, f"{purpose} in round {round}")


class SecureRound:
    """Keys and shares of all devices first; then vectors, one by one as they come; then the sum.

    Args:
        block: how.
        devices: who was asked and has not dropped out yet.
        size: D, numbers per device.
        away: how many of them are asked to spare, for which neighbours are counted.
        roots: 32 bytes for each purpose.
        inward: see FixedPoint.
    """

    def __init__(self, block: SecureAggregation, devices: Sequence[int], size: int, away: int, roots: Roots, inward: bool = False) -> None:
        neighbours = block.neighbours_of(len(devices), away)
        self.fixed_point = FixedPoint.of(block, len(devices), inward)
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(roots("graph")[:16], "big")))
        self.server = Server(size, self.fixed_point, neighbours, block.shares_needed(neighbours), generator)
        self.devices = {name: self.device(name, roots(f"device {name}")) for name in devices}
        self.uploaded = self.downloaded = 0
        """Bytes that devices sent and got."""
        rosters = self.server.enlist([self._up(device.advertise()) for device in self.devices.values()])
        deliveries = self.server.route([self._up(self.devices[name].share(self._down(roster))) for name, roster in rosters.items()])
        for name, delivery in deliveries.items():
            self.devices[name].receive(self._down(delivery))

    def device(self, name: int, root: bytes) -> Device:
        """A device of this round."""
        return Device(name, root, self.fixed_point)

    def submit(self, name: int, values: NDArray[np.float64]) -> None:
        """A device masks its numbers and sends them."""
        self.server.collect(self._up(self.devices[name].mask(values)))

    def total(self, silent: Collection[int] = ()) -> NDArray[np.float64]:
        """(D,) the sum of what was submitted. ``silent`` are devices that send no shares any more. Raises TooFewDevices."""
        requests = self.server.requests()
        return self.server.total([self._up(self.devices[name].unmask(self._down(request))) for name, request in requests.items() if name not in silent])

    def _up(self, message: M) -> M:
        self.uploaded += message.size
        return message

    def _down(self, message: M) -> M:
        self.downloaded += message.size
        return message
