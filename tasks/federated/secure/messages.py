"""What devices and the server send each other in a round of secure aggregation. ``size`` is a message's content in bytes, its envelope left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.federated.secure.shamir import SHARE_BYTES

Unsigned = NDArray[np.unsignedinteger[Any]]
NAME_BYTES = 4


@dataclass(frozen=True)
class PublicKeys:
    """Device to server, and on to its neighbours: the X25519 public keys of one device.

    Args:
        sender: of whom.
        sealing: what shares for it are encrypted by.
        masking: what pairwise masks with it follow from.
    """

    sender: int
    sealing: bytes
    masking: bytes

    @property
    def size(self) -> int:
        """A name and two keys."""
        return NAME_BYTES + len(self.sealing) + len(self.masking)


@dataclass(frozen=True)
class Roster:
    """Server to device: the keys of its neighbours, and how many of them can bring back what it shares."""

    threshold: int
    neighbours: tuple[PublicKeys, ...]

    @property
    def size(self) -> int:
        """A number and the keys."""
        return NAME_BYTES + sum(keys.size for keys in self.neighbours)


@dataclass(frozen=True)
class SealedShares:
    """Device to server: for each neighbour, a share of both its secrets that only the neighbour can read."""

    sender: int
    sealed: Mapping[int, bytes]

    @property
    def size(self) -> int:
        """Names and what is sealed."""
        return NAME_BYTES + sum(NAME_BYTES + len(content) for content in self.sealed.values())


@dataclass(frozen=True)
class Delivery:
    """Server to device: what its neighbours sealed for it, by sender."""

    sealed: Mapping[int, bytes]

    @property
    def size(self) -> int:
        """Names and what is sealed."""
        return sum(NAME_BYTES + len(content) for content in self.sealed.values())


@dataclass(frozen=True, eq=False)
class MaskedVector:
    """Device to server: (D,) its numbers plus its masks, modulo 2^32 or 2^64."""

    sender: int
    vector: Unsigned

    @property
    def size(self) -> int:
        """A name and the vector."""
        return NAME_BYTES + self.vector.nbytes


@dataclass(frozen=True)
class UnmaskRequest:
    """Server to device: which of its neighbours' vectors arrived, and which did not."""

    survivors: frozenset[int]
    dropped: frozenset[int]

    @property
    def size(self) -> int:
        """Names."""
        return NAME_BYTES * (len(self.survivors) + len(self.dropped))


@dataclass(frozen=True)
class UnmaskingShares:
    """Device to server: its shares of the self masks of survivors, and of the masking keys of those who dropped out."""

    sender: int
    self_masks: Mapping[int, int]
    masking_keys: Mapping[int, int]

    @property
    def size(self) -> int:
        """Names and shares."""
        return NAME_BYTES + (NAME_BYTES + SHARE_BYTES) * (len(self.self_masks) + len(self.masking_keys))
