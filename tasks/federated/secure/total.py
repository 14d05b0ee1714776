"""The sum of a cohort's contributions by secure aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.federated.contributions import Contribution
from tasks.federated.jobs import Job
from tasks.federated.secure.protocol import Roots, SecureRound, secret, simulated
from tasks.federated.secure_aggregation import SecureAggregation
from tasks.federated.totals import Asked, Sums, Total
from tasks.privacy.clip_rule import ClipRule


@dataclass(frozen=True)
class SecureSums(Sums):
    """Sums that the server sees without what they are made of.

    Args:
        block: how.
        randomness: ``secret``: keys come from the operating system; ``reproducible``: from the seed. The sums are the same.
        seed: see randomness.
    """

    block: SecureAggregation
    randomness: str
    seed: int

    def begin(self, sent: Sequence[Tensor], asked: Asked, rule: ClipRule | None = None, divisor: float = 1.0) -> Total:
        """See Sums. Raises UserError where so many devices cannot be summed over."""
        roots = secret if self.randomness == "secret" else simulated(self.seed, asked.round)
        return SecureTotal(sent, self.block, asked, roots, rule, divisor)


def sums_of(block: SecureAggregation | None, randomness: str, seed: int) -> Sums:
    """How a study makes its sums."""
    return Sums() if block is None else SecureSums(block, randomness, seed)


class SecureTotal(Total):
    """All devices asked exchange keys and shares when it is begun; those that never hand a contribution over are the dropouts, brought back in ``sum``.

    A contribution is masked and sent as it comes, so that none is held, and the server's part of this object knows their sum alone. Where a
    rule clips, the device itself looks at the length, numbers are rounded towards 0, so that none leaves the clip, and each vector ends with
    whether it was left as it was: of a single device the server does not learn that either.

    Args:
        sent, rule, divisor: see Total.
        block: how.
        asked: the devices; among none, the sum is 0.
        roots: where keys come from.
    """

    def __init__(
        self, sent: Sequence[Tensor], block: SecureAggregation, asked: Asked, roots: Roots, rule: ClipRule | None = None, divisor: float = 1.0
    ) -> None:
        super().__init__(sent, rule, divisor)
        self._size = sum(tensor.numel() for tensor in sent)
        numbers, clips = self._size + (rule is not None), rule is not None
        self._round = SecureRound(block, asked.clients, numbers, asked.spare, roots, clips) if asked.clients else None

    @property
    def exchanged(self) -> tuple[int, int]:
        """See Total."""
        return (0, 0) if self._round is None else (self._round.uploaded, self._round.downloaded)

    @torch.no_grad()
    def take(self, job: Job, given: Contribution) -> None:
        """See Total. Raises UserError where a number is beyond the range."""
        assert self._round is not None
        vector = torch.cat([tensor.reshape(-1) for tensor in given.tensors]).to("cpu", torch.float64).numpy()
        self._round.submit(job.client, vector if self.rule is None else np.append(vector, float(given.unclipped)))

    def sum(self) -> list[Tensor]:
        """See Total. Raises TooFewDevices."""
        found: NDArray[np.float64] = np.zeros(self._size + 1) if self._round is None else self._round.total()
        self.unclipped = self.received if self.rule is None else round(float(found[-1]))
        pieces = torch.from_numpy(found[: self._size]).split([tensor.numel() for tensor in self.sent])  # type: ignore[no-untyped-call]
        return [piece.view(tensor.shape).to(tensor.device) for piece, tensor in zip(pieces, self.sent, strict=True)]
