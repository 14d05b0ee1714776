"""What the server makes of a cohort's contributions: their sum, in float64."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.core.errors import UserError
from tasks.federated.contributions import Contribution, contribution, length
from tasks.federated.jobs import Job
from tasks.privacy.clip_rule import ClipRule

PIECE = 1 << 17
"""Numbers that are added at once: a megabyte of float64."""


TOLERANCE = 1 + 1e-5
"""Of a length that is worked out again."""


class LongerThanTheClip(UserError):
    """A device sent more than its clip allows: no epsilon covers a sum with it."""


class Total(ABC):
    """The sum of a round, begun anew each time.

    Args:
        sent: the trained weights as they were sent; nobody changes them.
        rule: how long a contribution may be, or any length.
        divisor: what each device multiplies its weight with, and the sum is divided by later: 1, or a public number of devices.
    """

    def __init__(self, sent: Sequence[Tensor], rule: ClipRule | None = None, divisor: float = 1.0) -> None:
        self.sent, self.rule, self.divisor = sent, rule, divisor
        self.tolerance = TOLERANCE
        """So many times the clip norm a contribution may be long."""
        self.received = 0
        self.unclipped = 0
        """How many contributions were not made shorter: known when the sum is."""

    def add(self, job: Job, trained: Sequence[Tensor]) -> None:
        """A device that was trained in this process, by its weights now."""
        self.receive(job, contribution(trained, self.sent, job.weight * self.divisor, self.rule))

    def receive(self, job: Job, given: Contribution) -> None:
        """A device by its contribution, wherever it was made. What it says that it clipped is looked at. Raises LongerThanTheClip."""
        if self.rule is not None and not length(given.tensors) <= self.rule.sensitivity * self.tolerance:
            raise LongerThanTheClip(
                f"device {job.client} sent an update of length {length(given.tensors):.6g}, and {self.rule.sensitivity:.6g} is the most that the clip allows: "
                "its weight must be applied before the clip, on the device; nothing of this round was applied"
            )
        self.received += 1
        self.take(job, given)

    @property
    def exchanged(self) -> tuple[int, int] | None:
        """Bytes that devices sent and got for the sum, their numbers among them; None where they send their numbers and nothing else."""
        return None

    @abstractmethod
    def take(self, job: Job, given: Contribution) -> None:
        """Make a contribution part of the sum, and whether it was made shorter part of the count."""

    @abstractmethod
    def sum(self) -> list[Tensor]:
        """The sum of contributions, float64. It is the total's own memory: ask once."""


@dataclass(frozen=True)
class Asked:
    """Who is asked in a round.

    Args:
        round: from 0.
        clients: indices of the devices, those that will not answer among them.
        spare: how many of them are asked to spare.
    """

    round: int
    clients: tuple[int, ...]
    spare: int = 0


class Sums:
    """How sums are made: in the clear."""

    def begin(self, sent: Sequence[Tensor], asked: Asked, rule: ClipRule | None = None, divisor: float = 1.0) -> Total:
        """The sum of a round. See Total."""
        return RunningTotal(sent, rule, divisor)


class RunningTotal(Total):
    """A running sum in the clear. Without a clip rule it is one of weighted models, from which that of weighted updates follows: no update is ever held."""

    def __init__(self, sent: Sequence[Tensor], rule: ClipRule | None = None, divisor: float = 1.0) -> None:
        super().__init__(sent, rule, divisor)
        self._total = [torch.zeros_like(tensor, dtype=torch.float64) for tensor in sent]
        self._weight = 0.0

    @torch.no_grad()
    def add(self, job: Job, trained: Sequence[Tensor]) -> None:
        """See Total."""
        if self.rule is not None:
            super().add(job, trained)
            return
        weight = job.weight * self.divisor
        for total, tensor in zip(self._total, trained, strict=True):
            _add(total, tensor, weight)
        self._weight += weight
        self.received += 1
        self.unclipped += 1

    def take(self, job: Job, given: Contribution) -> None:
        """See Total."""
        self.unclipped += given.unclipped
        for total, tensor in zip(self._total, given.tensors, strict=True):
            _add(total, tensor, 1.0)

    def sum(self) -> list[Tensor]:
        """See Total."""
        for total, sent in zip(self._total, self.sent, strict=True):
            _add(total, sent, -self._weight)
        self._weight = 0.0
        return self._total


def _add(total: Tensor, tensor: Tensor, weight: float) -> None:
    """total += weight x tensor, float64 and float32, in pieces that stay in the cache: at once, a float64 copy of the whole is made first."""
    if total.device.type != "cpu" or total.numel() <= PIECE:
        total.add_(tensor, alpha=weight)
        return
    for piece, other in zip(total.view(-1).split(PIECE), tensor.reshape(-1).split(PIECE), strict=True):  # type: ignore[no-untyped-call]
        piece.add_(other, alpha=weight)
