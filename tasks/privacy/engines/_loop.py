"""One backward pass per contribution."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tasks.privacy.engine import Clipper, Piece, Shares
from tasks.privacy.engines._norms import norm_of


class LoopClipper(Clipper):
    """Clips the gradient of one contribution after the other: of an example, or of several examples by their weights."""

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """Contributions in order."""
        losses = torch.zeros(len(batch["input_ids"]), device=batch["input_ids"].device)
        norms = [self._add(batch, chosen, weights, sums, losses) for chosen, weights in _contributions(len(losses), shares)]
        return Piece(losses, torch.cat(norms))

    def _add(self, batch: dict[str, Tensor], chosen: Tensor, weights: Tensor | None, sums: dict[str, Tensor], losses: Tensor) -> Tensor:
        """Add one contribution; returns its norm (1,)."""
        gradients: dict[str, Tensor] = {}
        for part in torch.split(chosen, self.at_once or len(chosen)):
            found = self.losses({name: value[part] for name, value in batch.items()})
            losses[part] = found.detach().float()
            told = found.sum() if weights is None else (found * weights[part]).sum()
            for name, gradient in zip(self.trained, torch.autograd.grad(told, list(self.trained.values()), allow_unused=True), strict=True):
                if gradient is not None:
                    gradients[name] = gradients[name] + gradient.float() if name in gradients else gradient.float()
        norm, factors = self.bounded({name: norm_of(gradient.unsqueeze(0)) for name, gradient in gradients.items()}, 1)
        for name, gradient in gradients.items():
            sums[name] += factors[name] * gradient
        return norm


def _contributions(examples: int, shares: Shares | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The examples of each, and the weights of all examples."""
    if shares is None:
        yield from ((chosen, None) for chosen in torch.split(torch.arange(examples), 1))
    else:
        yield from (((shares.owners == owner).nonzero().squeeze(1), shares.weights) for owner in range(shares.count))
