"""One backward pass per example."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.privacy.engine import Clipper, Piece
from tasks.privacy.engines._norms import norms_of


class LoopClipper(Clipper):
    """Clips the gradient of one example after the other."""

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor]) -> Piece:
        """Examples in order."""
        losses, norms = [], []
        parameters = list(self.trained.values())
        for index in range(len(batch["input_ids"])):
            single = {name: value[index : index + 1] for name, value in batch.items()}
            loss = self.losses(single)
            found = torch.autograd.grad(loss.sum(), parameters, allow_unused=True)
            gradients = {name: gradient.float() for name, gradient in zip(self.trained, found, strict=True) if gradient is not None}
            norm = norms_of(gradient.unsqueeze(0) for gradient in gradients.values())
            factor = self.rule.factors(norm)
            for name, gradient in gradients.items():
                sums[name] += factor * gradient
            losses.append(loss.detach().float())
            norms.append(norm)
        return Piece(torch.cat(losses), torch.cat(norms))
