"""Many devices at once: each has its own copy of the trained weights, and one pass computes the gradients of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import torch
from torch import Tensor, nn

from tasks.core.seeds import derive, torch_seeded
from tasks.federated.jobs import Job, Outcomes
from tasks.federated.labelling import self_labelled
from tasks.federated.local import Layout, Work
from tasks.federated.totals import Total
from tasks.training.stacking import Stack, StackedGradient, padded


class Stacked(Layout):
    """Stacks of at most ``chunk`` devices, those with most steps first, so that a stack's devices end together as nearly as can be.

    Steps beyond a device's own are not computed: the devices still at work are a beginning of the stack. The network must
    compute by operations that have a batching rule (see Architecture.open_up); the caller opened it up.
    """

    def __init__(self, work: Work, chunk: int) -> None:
        super().__init__(work)
        self._chunk = chunk
        self._gradients = StackedGradient(work.network)

    def train(self, jobs: Sequence[Job], total: Total) -> Outcomes:
        """See Layout."""
        jobs = [self_labelled(self.work, job) for job in jobs]
        sent = dict(zip(self.work.trained, total.sent, strict=True))
        order = sorted(range(len(jobs)), key=lambda place: (-jobs[place].steps, jobs[place].client))
        sums = torch.zeros(len(jobs), 2)
        self.work.network.train()
        for start in range(0, len(order), self._chunk):
            places = order[start : start + self._chunk]
            sums[places] = self._stack([jobs[place] for place in places], sent, total)
        losses, squares = sums.T.tolist()
        return Outcomes.of(losses, squares, jobs)

    def _stack(self, jobs: Sequence[Job], sent: Stack, total: Total) -> Tensor:
        """Train a stack; (C, 2) sums of losses and of their squares."""
        weights = {name: nn.Parameter(tensor.expand(len(jobs), *tensor.shape).clone()) for name, tensor in sent.items()}
        for weight in weights.values():
            weight.grad = torch.zeros_like(weight)
        optimizer = self.work.client.optimizer.build(weights.values())
        sums = torch.zeros(len(jobs), 2, device=self.work.device)
        busy = len(jobs)
        key = derive(jobs[0].seed, "stack", len(jobs))
        with torch_seeded(key, "forward", device=self.work.device):
            for rows in zip_longest(*(job.batches() for job in jobs)):
                now = sum(row is not None for row in rows)
                self._ended(weights, jobs, range(now, busy), total)
                busy = now
                batch, counts = padded(self.work.encoded, [row for row in rows if row is not None], self.work.device)
                sums[:busy] += self._step(weights, sent, batch, counts, optimizer)
        self._ended(weights, jobs, range(busy), total)
        return sums.cpu()

    def _step(self, weights: Mapping[str, nn.Parameter], sent: Stack, batch: Stack, counts: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
        """One step of every device still at work; (A, 2) sums of losses and of their squares. The others' copies change too, and are used no more."""
        busy = len(counts)
        mine = {name: weight.detach()[:busy] for name, weight in weights.items()}
        gradients, sums = self._gradients(mine, batch, counts)
        with torch.no_grad():
            for name, gradient in gradients.items():
                if self.work.client.proximal:
                    gradient = gradient + self.work.client.proximal * (mine[name] - sent[name])
                held = weights[name].grad
                assert held is not None
                held[:busy] = gradient
            optimizer.step()
        return sums

    def _ended(self, weights: Mapping[str, nn.Parameter], jobs: Sequence[Job], places: range, total: Total) -> None:
        """Add the devices of some places to the sum: they did their last step."""
        with torch.no_grad():
            for place in places:
                total.add(jobs[place], [weight[place] for weight in weights.values()])
