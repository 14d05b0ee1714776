"""The server in a round of secure aggregation: it holds what devices send, and learns the sum of the vectors that arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.core.errors import UserError
from tasks.federated.secure import masks
from tasks.federated.secure.fixed_point import FixedPoint
from tasks.federated.secure.keys import KeyPair
from tasks.federated.secure.messages import Delivery, MaskedVector, PublicKeys, Roster, SealedShares, UnmaskingShares, UnmaskRequest
from tasks.federated.secure.shamir import combine


class TooFewDevices(UserError):
    """Fewer devices answered than unmasking needs."""


class Server:
    """Honest but curious: it follows the protocol and may look at all it gets.

    Args:
        size: D, numbers per device.
        fixed_point: how they are encoded.
        neighbours: of each device, even, or all others.
        threshold: how many of them must answer.
        generator: draws who is whose neighbour.
    """

    def __init__(self, size: int, fixed_point: FixedPoint, neighbours: int, threshold: int, generator: np.random.Generator) -> None:
        self._size, self._fixed_point = size, fixed_point
        self._neighbours, self._threshold, self._generator = neighbours, threshold, generator
        self._keys: dict[int, PublicKeys] = {}
        self._graph: dict[int, set[int]] = {}
        self._sum = np.zeros(size, dtype=f"u{fixed_point.width // 8}")
        self._arrived: set[int] = set()

    def enlist(self, keys: Iterable[PublicKeys]) -> dict[int, Roster]:
        """Deal neighbours: devices stand on a circle in random order, each beside half its neighbours on either side (Harary's graph)."""
        self._keys = {key.sender: key for key in keys}
        circle = self._generator.permutation(sorted(self._keys)).tolist()
        self._graph = ring(circle, self._neighbours)
        return {name: Roster(self._threshold, tuple(self._keys[other] for other in sorted(others))) for name, others in self._graph.items()}

    def route(self, sealed: Sequence[SealedShares]) -> dict[int, Delivery]:
        """Pass shares on, to the devices that shared. Raises TooFewDevices."""
        sent = {message.sender: message.sealed for message in sealed}
        self._graph = {name: others & {*sent} for name, others in self._graph.items() if name in sent}
        self._check("shared its secrets", self._graph)
        return {name: Delivery({other: sent[other][name] for other in sorted(others)}) for name, others in self._graph.items()}

    def collect(self, message: MaskedVector) -> None:
        """Add a masked vector to the sum: none is kept."""
        if message.sender not in self._graph or message.sender in self._arrived or len(message.vector) != self._size:
            raise ValueError(f"device {message.sender} sent no vector of this round")
        self._arrived.add(message.sender)
        self._sum += message.vector

    def requests(self) -> dict[int, UnmaskRequest]:
        """What the devices whose vectors arrived are asked for. Raises TooFewDevices."""
        alive = {name: frozenset(others & self._arrived) for name, others in self._graph.items()}
        self._check("sent its vector", alive)
        return {name: UnmaskRequest(alive[name], frozenset(self._graph[name] - self._arrived)) for name in sorted(self._arrived)}

    def total(self, answers: Sequence[UnmaskingShares]) -> NDArray[np.float64]:
        """(D,) the sum over the devices whose vectors arrived. Raises TooFewDevices."""
        answering = {answer.sender for answer in answers}
        self._check("unmasked", {name: others & answering for name, others in self._graph.items()})
        self_masks = {answer.sender: answer.self_masks for answer in answers}
        keys = {answer.sender: answer.masking_keys for answer in answers}
        plus: list[bytes] = []
        minus = [self._secret(name, self_masks) for name in sorted(self._arrived)]
        for name in sorted({*self._graph} - self._arrived):
            masking = KeyPair(self._secret(name, keys))
            if masking.public != self._keys[name].masking:
                raise ValueError(f"the shares of device {name}'s masking key do not give its key back")
            for other in sorted(self._graph[name] & self._arrived):
                (minus if other < name else plus).append(masking.agree(self._keys[other].masking, "mask"))
        masks.apply(self._sum, plus, minus)
        return self._fixed_point.decode(self._sum)

    def _secret(self, name: int, shares: Mapping[int, Mapping[int, int]]) -> bytes:
        """What a device shared, from as many of its neighbours as it takes."""
        there = {other + 1: given[name] for other, given in shares.items() if name in given}
        return combine(dict(sorted(there.items())[: self._threshold]))

    def _check(self, did: str, left: Mapping[int, Iterable[int]]) -> None:
        """Every device that shared must have enough neighbours left, or its masks stay in the sum."""
        fewest = min((len({*others}) for others in left.values()), default=0)
        if fewest < self._threshold:
            raise TooFewDevices(
                f"secure aggregation: of the {self._neighbours} neighbours of some device only {fewest} {did}, and {self._threshold} are needed: lower "
                "federation.secure_aggregation.threshold, or ask so that fewer devices drop out"
            )


def ring(circle: Sequence[int], neighbours: int) -> dict[int, set[int]]:
    """Who stands within half of ``neighbours`` places of whom; all others where there are no more."""
    count = len(circle)
    if neighbours >= count - 1:
        return {name: {*circle} - {name} for name in circle}
    steps = [step for step in range(-(neighbours // 2), neighbours // 2 + 1) if step]
    return {name: {circle[(place + step) % count] for step in steps} for place, name in enumerate(circle)}
