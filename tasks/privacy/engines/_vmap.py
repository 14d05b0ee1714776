"""Per-example gradients by torch.func."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from tasks.models.batches import network_inputs
from tasks.privacy.clip_rule import Bound
from tasks.privacy.engine import Clipper, Piece, Shares
from tasks.privacy.engines._norms import norm_of


class VmapClipper(Clipper):
    """Gradients of a piece as one tensor (B, ...) per weight. Every example draws its own dropout."""

    def __init__(self, network: nn.Module, rule: Bound) -> None:
        super().__init__(network, rule)
        self._gradients = vmap(grad_and_value(self._loss), in_dims=(None, 0), randomness="different")

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """All examples at once."""
        assert shares is None  # a rule refuses it
        weights = {name: parameter.detach() for name, parameter in self.trained.items()}
        found, losses = self._gradients(weights, batch)
        norms, factors = self.bounded({name: norm_of(gradients) for name, gradients in found.items()}, len(losses))
        for name, gradients in found.items():
            sums[name] += torch.einsum("b,b...->...", factors[name], gradients.float())
        return Piece(losses.float(), norms)

    def _loss(self, weights: dict[str, Tensor], example: dict[str, Tensor]) -> Tensor:
        single = {name: value.unsqueeze(0) for name, value in example.items()}
        logits = functional_call(self.network, weights, (), network_inputs(single), tie_weights=True)
        return self.loss(logits, single).squeeze(0)
