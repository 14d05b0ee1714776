"""One device in a round of secure aggregation: what it alone knows, and what it sends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tasks.federated.secure import masks
from tasks.federated.secure.fixed_point import FixedPoint
from tasks.federated.secure.keys import KeyPair, Refused, derived, seal, unseal
from tasks.federated.secure.messages import Delivery, MaskedVector, PublicKeys, Roster, SealedShares, UnmaskingShares, UnmaskRequest, Unsigned
from tasks.federated.secure.shamir import PRIME, SHARE_BYTES, split

DRAWN_BYTES = 48
"""Bytes per coefficient: the remainder by PRIME is uniform but for 2^-128."""


class Device:
    """Sends its keys, shares of its secrets, one masked vector, and its shares of others' secrets, in this order and each once.

    Args:
        identity: its name in the round, from 0.
        root: 32 bytes that all its randomness follows from, of this round alone.
        fixed_point: how its numbers are encoded.
    """

    def __init__(self, identity: int, root: bytes, fixed_point: FixedPoint) -> None:
        self.identity = identity
        self._fixed_point = fixed_point
        self._sealing, self._masking = KeyPair(derived(root, "sealing key")), KeyPair(derived(root, "masking key"))
        self._self_mask = derived(root, "self mask")
        self._coefficients = masks.stream(derived(root, "coefficients"))
        self._roster: Roster | None = None
        self._shares: dict[int, tuple[int, int]] | None = None
        self._masked = self._answered = False

    def advertise(self) -> PublicKeys:
        """Its public keys."""
        return PublicKeys(self.identity, self._sealing.public, self._masking.public)

    def share(self, roster: Roster) -> SealedShares:
        """Shares of its self mask and of its masking key, sealed for each neighbour. Raises Refused where they would not be safe."""
        names = {keys.sender for keys in roster.neighbours}
        publics = {keys.masking for keys in roster.neighbours} | {keys.sealing for keys in roster.neighbours}
        if self._roster is not None:
            raise Refused(f"device {self.identity} shares its secrets once")
        if self.identity in names or len(publics) < 2 * len(roster.neighbours) or len(names) < len(roster.neighbours):
            raise Refused(f"device {self.identity} was told of neighbours that are not different devices")
        if not len(names) < 2 * roster.threshold <= 2 * len(names):
            raise Refused(f"device {self.identity} does not share so that {roster.threshold} of {len(names)} neighbours can unmask it: more than half")
        self._roster = roster
        points = [name + 1 for name in sorted(names)]
        self_mask = split(self._self_mask, points, roster.threshold, self._draw)
        masking = split(self._masking.secret, points, roster.threshold, self._draw)
        sealed = {}
        for keys in roster.neighbours:
            content = b"".join(share[keys.sender + 1].to_bytes(SHARE_BYTES, "big") for share in (self_mask, masking))
            sealed[keys.sender] = seal(self._sealing.agree(keys.sealing, "sealing"), self.identity, keys.sender, content)
        return SealedShares(self.identity, sealed)

    def receive(self, delivery: Delivery) -> None:
        """Read its neighbours' shares. Raises Refused where they are not as sealed, or of fewer neighbours than the threshold."""
        if self._roster is None or self._shares is not None:
            raise Refused(f"device {self.identity} reads its neighbours' shares once, after it sent its own")
        publics = {keys.sender: keys.sealing for keys in self._roster.neighbours}
        if not {*delivery.sealed} <= {*publics} or len(delivery.sealed) < self._roster.threshold:
            raise Refused(f"device {self.identity} got shares of {len(delivery.sealed)} devices, and needs those of {self._roster.threshold} neighbours")
        self._shares = {}
        for sender, sealed in delivery.sealed.items():
            content = unseal(self._sealing.agree(publics[sender], "sealing"), sender, self.identity, sealed)
            self._shares[sender] = int.from_bytes(content[:SHARE_BYTES], "big"), int.from_bytes(content[SHARE_BYTES:], "big")

    def mask(self, values: NDArray[np.float64]) -> MaskedVector:
        """(D,) its numbers, encoded and masked, once: a second vector under the same masks would show the difference. Raises UserError beyond the range."""
        if self._shares is None or self._masked:
            raise Refused(f"device {self.identity} sends one vector, after it read its neighbours' shares")
        self._masked = True
        vector = self._fixed_point.encode(values)
        self._apply_masks(vector)
        return MaskedVector(self.identity, vector)

    def unmask(self, request: UnmaskRequest) -> UnmaskingShares:
        """Shares for one request: of each neighbour one kind, never both. Raises Refused on any other request."""
        shares = self._shares or {}
        if self._roster is None or not self._masked or self._answered:
            raise Refused(f"device {self.identity} answers one request for shares, after it sent its vector")
        if request.survivors & request.dropped:
            raise Refused(f"device {self.identity} was asked for both shares of device {min(request.survivors & request.dropped)}, which would show its vector")
        if not request.survivors | request.dropped <= {*shares} or len(request.survivors) < self._roster.threshold:
            raise Refused(
                f"device {self.identity} was told of {len(request.survivors)} surviving neighbours, and unmasks no fewer than {self._roster.threshold}"
            )
        self._answered = True
        self_masks = {name: shares[name][0] for name in sorted(request.survivors)}
        return UnmaskingShares(self.identity, self_masks, {name: shares[name][1] for name in sorted(request.dropped)})

    def _apply_masks(self, vector: Unsigned) -> None:
        """The self mask, and one with each neighbour: the device of the lower name adds it, the other takes it off."""
        seeds = self._pairwise()
        higher = [seed for name, seed in seeds.items() if name > self.identity]
        masks.apply(vector, [self._self_mask, *higher], [seed for name, seed in seeds.items() if name < self.identity])

    def _pairwise(self) -> Mapping[int, bytes]:
        """The seed that it agrees on with each neighbour who shared."""
        assert self._roster is not None and self._shares is not None
        return {keys.sender: self._masking.agree(keys.masking, "mask") for keys in self._roster.neighbours if keys.sender in self._shares}

    def _draw(self) -> int:
        return int.from_bytes(self._coefficients.update(bytes(DRAWN_BYTES)), "big") % PRIME
