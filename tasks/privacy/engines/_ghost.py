"""Ghost clipping on Opacus's hooks."""

from __future__ import annotations

from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleHooksFastGradientClipping
from torch import Tensor, nn

from tasks.privacy.clip_rule import Bound
from tasks.privacy.engine import Clipper, Piece, Shares, UnseenWeight
from tasks.privacy.engines import _samplers
from tasks.privacy.engines._norms import norms_of

_samplers.register()

SEEN = 1e-2
"""A gradient that is so much longer than its norm was not seen whole; rounding is far below it."""
TINY = 1e-12


class GhostClipper(Clipper):
    """One backward pass for the norms, one of the loss weighted by the clip factors for the sum."""

    def __init__(self, network: nn.Module, rule: Bound) -> None:
        super().__init__(network, rule)
        self._hooks = GradSampleHooksFastGradientClipping(network, batch_first=True, loss_reduction="sum", strict=False)
        self._proven = False

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """All examples at once."""
        assert shares is None  # a rule refuses it
        losses = self._passed(batch)
        norms, factors = self.bounded(self._norms(len(losses)), len(losses))
        factor = next(iter(factors.values()))  # one for all weights: a rule refuses layers of their own
        with self.backward():
            (losses * factor.to(losses.dtype)).sum().backward()  # type: ignore[no-untyped-call]
        for name, parameter in self.trained.items():
            if parameter.grad is not None:
                sums[name] += parameter.grad.float()
                parameter.grad = None
        self._prove({name: value[-1:] for name, value in batch.items()})
        return Piece(losses.detach().float(), norms)

    def close(self) -> None:
        """Remove the hooks."""
        self._hooks.remove_hooks()

    def _passed(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) losses, once the hooks saw their gradient."""
        self._hooks.enable_hooks()
        losses = self.losses(batch)
        with self.backward():
            losses.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        self._hooks.disable_hooks()
        _samplers.forget(self.network)
        return losses

    def _norms(self, examples: int) -> dict[str, Tensor]:
        """(B,) of each weight, taken away; those that took no part have none. Raises UnseenWeight."""
        found = {}
        for name, parameter in self.trained.items():
            norm = getattr(parameter, "_norm_sample", None)
            if norm is not None:
                found[name] = norm.reshape(examples)
                parameter._norm_sample = None  # type: ignore[attr-defined]
            elif parameter.grad is not None:
                raise UnseenWeight(f"{name} has a gradient but no norm per example: a layer uses it without being called")
            parameter.grad = None
        return found

    def _prove(self, single: dict[str, Tensor]) -> None:
        """Once, on one example, whose norms can be compared with its gradient. After a piece, whose dropout it must not change. Raises UnseenWeight."""
        if self._proven:
            return
        self._proven = True
        self._passed(single)
        for name, parameter in self.trained.items():
            norm = getattr(parameter, "_norm_sample", None)
            if norm is not None and parameter.grad is not None and float(norms_of([parameter.grad.unsqueeze(0)])) > float(norm) * (1 + SEEN) + TINY:
                raise UnseenWeight(f"{name} has a longer gradient than its layers say: something uses it without calling them")
        self._norms(1)
