"""Opacus's hooks on a network, with nothing else of Opacus: sampling, clipping, noise and accounting are ours."""

from __future__ import annotations

import torch
from opacus.grad_sample.grad_sample_module import GradSampleHooks
from torch import Tensor, nn

from tasks.privacy.clip_rule import Bound
from tasks.privacy.engine import Clipper, Piece, Shares, UnseenWeight
from tasks.privacy.engines import _samplers
from tasks.privacy.engines._norms import norm_of

_samplers.register()


class HooksClipper(Clipper):
    """Reads ``grad_sample`` of every weight after one backward pass of the summed loss."""

    def __init__(self, network: nn.Module, rule: Bound) -> None:
        super().__init__(network, rule)
        self._hooks = GradSampleHooks(network, batch_first=True, loss_reduction="sum", strict=False)

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """All examples at once."""
        assert shares is None  # a rule refuses it
        losses = self.losses(batch)
        with self.backward():
            losses.sum().backward()  # type: ignore[no-untyped-call]
        found = {name: self._taken(name, parameter) for name, parameter in self.trained.items()}
        gradients = {name: value for name, value in found.items() if value is not None}
        _samplers.forget(self.network)
        norms, factors = self.bounded({name: norm_of(value) for name, value in gradients.items()}, len(losses))
        for name, value in gradients.items():
            sums[name] += torch.einsum("b,b...->...", factors[name], value.float())
        return Piece(losses.detach().float(), norms)

    def close(self) -> None:
        """Remove the hooks."""
        self._hooks.remove_hooks()

    @staticmethod
    def _taken(name: str, parameter: nn.Parameter) -> Tensor | None:
        """The per-example gradients, taken away; None where the weight took no part. Raises UnseenWeight."""
        found = getattr(parameter, "grad_sample", None)
        if found is None and parameter.grad is not None:
            raise UnseenWeight(f"{name} has a gradient but none per example: a layer uses it without being called")
        parameter.grad_sample = None  # type: ignore[attr-defined]
        parameter.grad = None
        if isinstance(found, list):
            raise RuntimeError("a weight has gradients of two backward passes: they would be clipped as examples of their own")
        return found
