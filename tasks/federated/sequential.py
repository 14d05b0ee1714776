"""One device after another, in place: the network itself is trained, and put back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tasks.core.seeds import torch_seeded
from tasks.federated.jobs import Job, Outcomes
from tasks.federated.labelling import self_labelled
from tasks.federated.local import Layout
from tasks.federated.totals import Total
from tasks.models.batches import network_inputs
from tasks.models.losses import per_example_loss


class Sequential(Layout):
    """Devices share one copy of the weights: memory is that of one model, twice."""

    def train(self, jobs: Sequence[Job], total: Total) -> Outcomes:
        """See Layout."""
        jobs = [self_labelled(self.work, job) for job in jobs]
        weights: list[Tensor] = list(self.work.parameters.values())
        losses, squares = [], []
        self.work.network.train()
        for job in jobs:
            loss, square = self.local(job, total.sent)
            losses.append(loss)
            squares.append(square)
            total.add(job, weights)
            with torch.no_grad():
                torch._foreach_copy_(weights, list(total.sent))
        return Outcomes.of(losses, squares, jobs)

    def local(self, job: Job, sent: Sequence[Tensor]) -> tuple[float, float]:
        """Train the network in place on one device's examples; the sums of losses and of their squares."""
        parameters = list(self.work.parameters.values())
        optimizer = self.work.client.optimizer.build(parameters)
        sums = torch.zeros(2, device=self.work.device)
        with torch_seeded(job.seed, "forward", device=self.work.device):
            for indices in job.batches():
                batch = self.work.encoded.batch(indices, self.work.device)
                losses = per_example_loss(self.work.network(**network_inputs(batch)), batch)
                optimizer.zero_grad(set_to_none=True)
                losses.mean().backward()  # type: ignore[no-untyped-call]
                self._pull(parameters, sent)
                optimizer.step()
                found = losses.detach()
                sums += torch.stack([found.sum(), found.square().sum()])
        optimizer.zero_grad(set_to_none=True)
        loss, square = sums.tolist()
        return loss, square

    def _pull(self, parameters: Sequence[torch.nn.Parameter], sent: Sequence[Tensor]) -> None:
        """The gradient of FedProx's term: proximal / 2 times the squared distance from what was sent."""
        if not self.work.client.proximal:
            return
        with torch.no_grad():
            for parameter, begin in zip(parameters, sent, strict=True):
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - begin, alpha=self.work.client.proximal)
