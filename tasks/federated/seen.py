"""A private aggregation that is looked at: its sums before noise, and how far one device moves them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from tasks.federated.aggregation import Aggregation, PrivateAggregation
from tasks.federated.contributions import Contribution, length
from tasks.federated.jobs import Job
from tasks.federated.local import Layout
from tasks.federated.totals import Asked, Total
from tasks.privacy.clip_rules.adaptive_quantile import AdaptiveQuantile
from tasks.training.checking import counted
from tasks.training.neighbours import ROUNDED, STRETCH, Moved, candidates

MOST = 16
"""So many devices of a cohort have their updates kept, to be added up again and again."""


class Seen(Aggregation):
    """Adds up, adds noise and divides as the aggregation does that it is made of, and keeps a copy of each round's sum. It lets in contributions that are
    longer than the clip, so that they can be told of.
    """

    def __init__(self, inner: PrivateAggregation) -> None:
        super().__init__(inner.sums)
        self.inner, self.public_size = inner, inner.public_size
        self.before_noise: list[Tensor] = []

    @property
    def kept(self) -> dict[str, float]:
        """See Aggregation."""
        return self.inner.kept

    @kept.setter
    def kept(self, values: Mapping[str, float]) -> None:
        self.inner.kept = values

    @property
    def clip_norm(self) -> float:
        """By how much a contribution may move the sum now."""
        return self.inner.rule.sensitivity

    def begin(self, sent: Sequence[Tensor], asked: Asked) -> Total:
        """See Aggregation."""
        total = self.inner.begin(sent, asked)
        total.tolerance = math.inf
        return total

    def end(self, total: Total, round: int) -> list[Tensor] | None:
        """See Aggregation."""
        self.before_noise = [part.clone() for part in total.sum()]
        return self.inner.end(total, round)

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Rounds that are ended inside leave no trace."""
        kept = self.kept
        try:
            yield
        finally:
            self.kept = kept


class Updates(Total):
    """Keeps what each device sends, as long as it is."""

    def __init__(self, sent: Sequence[Tensor]) -> None:
        super().__init__(sent)
        self.by_client: dict[int, list[Tensor]] = {}

    def take(self, job: Job, given: Contribution) -> None:
        """See Total."""
        self.by_client[job.client] = given.tensors

    def sum(self) -> list[Tensor]:
        """See Total."""
        return [torch.stack(parts).double().sum(dim=0) for parts in zip(*self.by_client.values(), strict=True)]


class Moves:
    """How far one device moves what a round releases, whatever it weighs: some devices are trained once, as the layout trains them, and then clipped,
    added up, noised and divided with and without one of them. The noise is the same each time, so all that differs is the device.

    Args:
        seen: the aggregation.
        rule: the clip rule of the study.
        divisor: the public number of devices.
        number: the round.
    """

    def __init__(self, seen: Seen, layout: Layout, jobs: Sequence[Job], rule: object, divisor: int, number: int, generator: np.random.Generator) -> None:
        self.seen, self.rule, self.divisor, self.number, self.generator = seen, rule, divisor, number, generator
        places = np.sort(generator.permutation(len(jobs))[:MOST])
        self.jobs = [jobs[place] for place in places]
        self.sent = layout.work.sent()
        updates = Updates(self.sent)
        layout.train([job.weighted(1.0) for job in self.jobs], updates)
        self.updates = updates.by_client

    def moved(self) -> Moved:
        """The largest moves, with weights as they are, so large that clipping has something to do, and so small that it has nothing to do."""
        clip_norm = self.seen.clip_norm
        norms = [job.weight * self.divisor * length(self.updates[job.client]) for job in self.jobs]
        tried = candidates(norms, self.generator)
        median = float(np.median(norms))
        ratio = clip_norm / median if median > 0 else 1.0
        parts = [self._moved(tried, factor) for factor in (1.0, STRETCH * max(1.0, ratio), min(1.0, ratio) / STRETCH)]
        counts = [count for _, _, count in parts if count is not None]
        return Moved(
            longest=max(longest for longest, _, _ in parts),
            sums=max(sums for _, sums, _ in parts),
            counts=max(counts) if counts else None,
            alone=len(self.jobs),
            units=len(tried),
            rounding=ROUNDED * len(self.jobs),
        )

    def _moved(self, tried: Sequence[int], factor: float) -> tuple[float, float, float | None]:
        """The longest contribution, and the largest moves of the sum and of the count, each over what it may be."""
        jobs = [job.weighted(factor * job.weight) for job in self.jobs]
        clip_norm = self.seen.clip_norm
        longest = max(length(self._total([job]).sum()) for job in jobs) / clip_norm
        whole, count = self._released(jobs)
        sums, counts = [], []
        for place in tried:
            other, other_count = self._released([*jobs[:place], *jobs[place + 1 :]])
            sums.append(length([a - b for a, b in zip(whole, other, strict=True)]) * self.divisor / clip_norm)
            counts.append(2 * abs(count - other_count))
        return longest, max(sums), max(counts) if isinstance(self.rule, AdaptiveQuantile) else None

    def _total(self, jobs: Sequence[Job]) -> Total:
        total = self.seen.begin(self.sent, Asked(self.number, tuple(job.client for job in jobs)))
        for job in jobs:
            total.add(job, [before + part for before, part in zip(self.sent, self.updates[job.client], strict=True)])
        return total

    def _released(self, jobs: Sequence[Job]) -> tuple[list[Tensor], float]:
        """What the server makes of a cohort, and the noisy count by which its clip norm moved."""
        with self.seen.set_aside():
            before = self.seen.clip_norm
            update = self.seen.end(self._total(jobs), self.number)
            assert update is not None
            count = counted(self.rule, before, self.seen.clip_norm, self.divisor) if isinstance(self.rule, AdaptiveQuantile) else 0.0
        return update, count
