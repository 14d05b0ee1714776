"""The slow obvious twin of a cohort: each device trained by itself on a network of its own, and its update clipped by the formula as it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.federated.jobs import Job
from tasks.federated.local import Work
from tasks.models.losses import example_losses
from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.clip_rules.automatic import Automatic

Sums = dict[str, Tensor]


@dataclass(frozen=True)
class Alone:
    """Shares with a cohort's own training its examples in their order, the networks' code and the optimizer's.

    Args:
        network: at the weights that are sent; it is put back after each device.
        work: what is trained on, and how.
        rule: by which updates are clipped.
        divisor: the public number of devices that a sum is divided by.
    """

    network: nn.Module
    work: Work
    rule: ClipRule
    divisor: float

    def clipped_sum(self, jobs: Sequence[Job], clip_norm: float) -> tuple[Sums, float]:
        """The sum of clipped contributions in float64, and those that are not longer less those that are, by half."""
        sums = {name: torch.zeros(value.shape, dtype=torch.float64, device=value.device) for name, value in self.work.parameters.items()}
        balance = 0.0
        for job in jobs:
            update = self.update(job)
            norm = math.sqrt(sum(float(value.square().sum()) for value in update.values()))
            for name, value in update.items():
                sums[name] += self._factor(norm, clip_norm) * value
            balance += 0.5 if norm <= clip_norm else -0.5
        return sums, balance

    def update(self, job: Job) -> Sums:
        """The weighted update of a device in float64, times the divisor."""
        weights = {name: value for name, value in self.network.named_parameters() if name in self.work.trained}
        sent = {name: value.detach().clone() for name, value in weights.items()}
        optimizer = self.work.client.optimizer.build(weights.values())
        self.network.train()
        for indices in job.batches():
            optimizer.zero_grad(set_to_none=True)
            self._loss(indices, weights, sent).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        scale = job.weight * self.divisor
        update = {name: scale * (value.detach().double() - sent[name].double()) for name, value in weights.items()}
        with torch.no_grad():
            for name, value in weights.items():
                value.copy_(sent[name])
        return update

    def _loss(self, indices: Tensor, weights: dict[str, nn.Parameter], sent: Sums) -> Tensor:
        """The mean over a step's examples, and FedProx's term."""
        loss = example_losses(self.network, self.work.encoded.batch(indices, self.work.device)).mean()
        if self.work.client.proximal:
            far = torch.stack([(value - sent[name]).square().sum() for name, value in weights.items()]).sum()
            loss = loss + self.work.client.proximal / 2 * far
        return loss

    def _factor(self, norm: float, clip_norm: float) -> float:
        if isinstance(self.rule, Automatic):
            return 1 / (norm + self.rule.stability)
        return min(1.0, clip_norm / norm) if norm else 1.0
