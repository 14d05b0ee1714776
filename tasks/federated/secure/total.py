"""The sum of a cohort's contributions by secure aggregation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tasks.federated.contributions import Contribution
from tasks.federated.jobs import Job
from tasks.federated.secure.protocol import Roots, SecureRound
from tasks.federated.secure_aggregation import SecureAggregation
from tasks.federated.totals import Total
from tasks.privacy.clip_rule import ClipRule


class SecureTotal(Total):
    """All devices asked exchange keys and shares when it is begun; those that never hand a contribution over are the dropouts, brought back in ``sum``.

    A contribution is masked and sent as it comes, so that none is held, and the server's part of this object knows their sum alone. Where a
    rule clips, each vector ends with whether it was left as it was: of a single device the server does not learn that either.

    Args:
        sent, rule, divisor: see Total.
        block: how.
        asked: indices of the devices asked, those among them that will not answer included.
        away: how many of them are asked to spare.
        roots: where keys come from.
    """

    def __init__(
        self,
        sent: Sequence[Tensor],
        block: SecureAggregation,
        asked: Sequence[int],
        away: int,
        roots: Roots,
        rule: ClipRule | None = None,
        divisor: float = 1.0,
    ) -> None:
        super().__init__(sent, rule, divisor)
        self._size = sum(tensor.numel() for tensor in sent)
        self.round = SecureRound(block, asked, self._size + (rule is not None), away, roots)

    def receive(self, job: Job, given: Contribution) -> None:
        """See Total."""
        self.received += 1
        self.take(job, given)

    @torch.no_grad()
    def take(self, job: Job, given: Contribution) -> None:
        """See Total. Raises UserError where a number is beyond the range."""
        parts = [tensor.reshape(-1) for tensor in given.tensors]
        vector = torch.cat(parts).to("cpu", torch.float64).numpy()
        self.round.submit(job.client, vector if self.rule is None else np.append(vector, float(given.unclipped)))

    def sum(self) -> list[Tensor]:
        """See Total. Raises TooFewDevices."""
        found = torch.from_numpy(self.round.total())
        self.unclipped = self.received if self.rule is None else round(float(found[-1]))
        pieces = found[: self._size].split([tensor.numel() for tensor in self.sent])  # type: ignore[no-untyped-call]
        return [piece.view(tensor.shape).to(tensor.device) for piece, tensor in zip(pieces, self.sent, strict=True)]
