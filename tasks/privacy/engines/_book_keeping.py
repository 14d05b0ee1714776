"""Book-keeping: exact clipping from one forward and one backward pass (Bu et al., ICML 2023).

Hooks keep what goes into every layer and the gradient of what comes out; no gradient of a weight is asked of autograd. From these two the norm of each
example is worked out, then the clipped sum as one weighted product per layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.privacy.clip_rule import Bound
from tasks.privacy.engine import Clipper, Piece, Shares, UnseenWeight
from tasks.privacy.engines._layers import Call, is_known, places_of, trains_bias_alone, uses_of

SEEN = 1e-3
"""How far, relative to its length, the sum of one example may be from its gradient by autograd; rounding is far below."""
TINY = 1e-10


@dataclass
class _Kept:
    """A call of a layer: what it read, and the gradient of what it said. ``begins``: its output, where no weight is before it."""

    layer: nn.Module
    inputs: tuple[Tensor, ...]
    gradient: Tensor | None = None
    begins: Tensor | None = None

    def note(self, gradient: Tensor) -> None:
        """Called when the gradient is there."""
        self.gradient = gradient


class BookKeepingClipper(Clipper):
    """One backward pass for the gradients of outputs; norms and sums from what was kept."""

    def __init__(self, network: nn.Module, rule: Bound) -> None:
        super().__init__(network, rule)
        self._kept: list[_Kept] = []
        self._names = {id(parameter): name for name, parameter in self.trained.items()}
        layers = [layer for layer in network.modules() if _own(layer) & self._names.keys()]
        self.by_example = tuple(sorted({type(layer).__name__ for layer in layers if not is_known(layer)}))
        self._handles = [layer.register_forward_hook(self._saw) for layer in layers]
        self._silent = {id(layer) for layer in layers if is_known(layer) and trains_bias_alone(layer, self._names)}
        self._watching = self._proven = self._going_back = False

    def add(self, batch: dict[str, Tensor], sums: dict[str, Tensor], shares: Shares | None = None) -> Piece:
        """All examples at once."""
        losses, calls = self._passed(batch, None if shares is None else shares.weights)
        with torch.autocast(losses.device.type, enabled=False):  # a norm in bf16 would be too short by chance
            uses = uses_of(calls, self._names, len(losses), None if shares is None else places_of(shares))
            norms, factors = self.bounded({use.name: use.norms() for use in uses}, len(losses) if shares is None else shares.count)
            for use in uses:
                use.add(factors[use.name], sums)
        self._prove({name: value[-1:] for name, value in batch.items()})
        return Piece(losses.detach().float(), norms)

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _passed(self, batch: dict[str, Tensor], weights: Tensor | None = None) -> tuple[Tensor, list[Call]]:
        """(B,) losses, and every call of a layer that took part, with the gradient of its output from the losses by their weights."""
        self._watching = True
        for parameter in self.trained.values():
            parameter.requires_grad_(False)
        try:
            losses = self.losses(batch)
            first = [call for call in self._kept if call.begins is not None]
            self._going_back = True
            told = losses.sum() if weights is None else (losses * weights).sum()
            found = torch.autograd.grad(told, [call.begins for call in first if call.begins is not None], allow_unused=True) if first else ()
        finally:
            self._watching = self._going_back = False
            kept, self._kept = self._kept, []
            for parameter in self.trained.values():
                parameter.requires_grad_(True)
        for call, gradient in zip(first, found, strict=True):
            call.gradient = gradient
        return losses, [(call.layer, call.inputs, call.gradient) for call in kept if call.gradient is not None]

    def _saw(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        """Keep a call. An output that depends on no other weight begins the graph; the gradients of the others are noted on the way to those.

        Autograd asked for all of them would copy where it otherwise adds in place. Raises UnseenWeight.
        """
        if not self._watching:
            return
        if not isinstance(output, Tensor):
            raise UnseenWeight(f"{type(layer).__name__} says more than one tensor, so its weights cannot be told from its output: take engine loop")
        if self._going_back:  # run again to save memory: the call is known, and its output must be as it was
            output.requires_grad_(True)
            return
        call = _Kept(layer, () if id(layer) in self._silent else tuple(value.detach() for value in inputs))
        self._kept.append(call)
        if output.requires_grad:
            output.register_hook(call.note)  # type: ignore[no-untyped-call]
        else:
            call.begins = output.requires_grad_(True)

    def _prove(self, single: dict[str, Tensor]) -> None:
        """Once, on one example: what the layers say must be its gradient. Raises UnseenWeight where some weight is used past them."""
        if self._proven:
            return
        self._proven = True
        device = next(iter(self.trained.values())).device
        devices = [device] if device.type == "cuda" else []
        with torch.autocast(device.type, enabled=False):
            with torch.random.fork_rng(devices):  # both passes begin with the same draws on every device, and so does what follows
                calls = self._passed(single)[1]
            with torch.random.fork_rng(devices):
                gradients = torch.autograd.grad(self.losses(single).sum(), list(self.trained.values()), allow_unused=True)
        sums = self.zeros()
        for use in uses_of(calls, self._names, 1):
            use.add(torch.ones(1, device=device), sums)
        for (name, said), gradient in zip(sums.items(), gradients, strict=True):
            true = torch.zeros_like(said) if gradient is None else gradient.float()
            if float((said - true).norm()) > SEEN * float(true.norm()) + TINY:
                raise UnseenWeight(f"{name} has another gradient than its layers say: something uses it without calling them")


def _own(layer: nn.Module) -> set[int]:
    """The parameters of a layer that no layer inside it has: BERT's masked head lists the bias of its decoder beside it, and leaves the use to that."""
    inside = {id(parameter) for child in layer.children() for parameter in child.parameters()}
    return {id(parameter) for parameter in layer.parameters(recurse=False)} - inside
