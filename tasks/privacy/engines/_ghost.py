"""Ghost clipping on Opacus's hooks."""

from __future__ import annotations

import torch
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleHooksFastGradientClipping
from torch import Tensor, nn

from tasks.models.losses import example_losses
from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.engine import Clipper, Piece, UnseenWeight
from tasks.privacy.engines import _samplers

_samplers.register()


class GhostClipper(Clipper):
    """One backward pass for the norms, one of the loss weighted by the clip factors for the sum."""

    def __init__(self, network: nn.Module, rule: ClipRule) -> None:
        super().__init__(network, rule)
        self._hooks = GradSampleHooksFastGradientClipping(network, batch_first=True, loss_reduction="sum", strict=False)

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor]) -> Piece:
        """All examples at once."""
        self._hooks.enable_hooks()
        losses = example_losses(self.network, batch)
        with self.backward():
            losses.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        norms = self._norms(len(losses))
        self._hooks.disable_hooks()
        _samplers.forget(self.network)
        with self.backward():
            (losses * self.rule.factors(norms).to(losses.dtype)).sum().backward()  # type: ignore[no-untyped-call]
        for name, parameter in self.trained.items():
            if parameter.grad is not None:
                sums[name] += parameter.grad.float()
                parameter.grad = None
        return Piece(losses.detach().float(), norms)

    def close(self) -> None:
        """Remove the hooks."""
        self._hooks.remove_hooks()

    def _norms(self, examples: int) -> Tensor:
        """(B,) over all weights; those that took no part have none. Raises UnseenWeight."""
        found = []
        for name, parameter in self.trained.items():
            norm = getattr(parameter, "_norm_sample", None)
            if norm is not None:
                found.append(norm.float().reshape(examples))
                parameter._norm_sample = None  # type: ignore[attr-defined]
            elif parameter.grad is not None:
                raise UnseenWeight(f"{name} has a gradient but no norm per example: a layer uses it without being called")
            parameter.grad = None
        norms: Tensor = torch.stack(found).norm(dim=0)
        return norms
