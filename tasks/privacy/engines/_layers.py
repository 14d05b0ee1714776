"""Gradients that follow from what went into a layer and the gradient of what came out: their norms per example, and their weighted sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tasks.models._linear import Intercept
from tasks.privacy.engine import Shares, UnseenWeight
from tasks.privacy.engines import _samplers
from tasks.privacy.engines._norms import norms_of

WORTH = 100
"""What a number of a per-example gradient costs, in products of positions: below that many the gradients themselves are cheaper than all pairs of positions."""

Call = tuple[nn.Module, tuple[Tensor, ...], Tensor]


@dataclass(frozen=True)
class Products:
    """A sum over positions of outer products: ``sum_t outputs_t inputs_t'`` (O, I) of ``inputs`` (B, T, I) and ``outputs`` (B, T, O)."""

    inputs: Tensor
    outputs: Tensor

    @property
    def is_small(self) -> bool:
        """Whether the gradients themselves are cheaper than all pairs of positions."""
        positions, wide = self.inputs.shape[1], self.inputs.shape[2] + self.outputs.shape[2]
        return WORTH * self.inputs.shape[2] * self.outputs.shape[2] < positions**2 * wide

    def shared(self, places: Tensor) -> Products:
        """Of contributions of several examples."""
        return Products(_gathered(self.inputs, places), _gathered(self.outputs, places))

    def direct(self) -> Tensor:
        """(B, O, I) the gradients."""
        return self.outputs.mT @ self.inputs

    def squares(self) -> Tensor:
        """(B, T, T) what the squared norm is the sum of."""
        return (self.inputs @ self.inputs.mT) * (self.outputs @ self.outputs.mT)

    def add(self, factors: Tensor, total: Tensor) -> None:
        """One product for all examples."""
        less = self.inputs if self.inputs.shape[2] <= self.outputs.shape[2] else self.outputs
        weighted = less * factors[:, None, None]
        inputs, outputs = (weighted, self.outputs) if less is self.inputs else (self.inputs, weighted)
        total.addmm_(outputs.flatten(0, 1).mT, inputs.flatten(0, 1))


@dataclass(frozen=True)
class Rows:
    """Rows of a table of ``count``: row ``ids_t`` gets ``outputs_t``, of ``ids`` (B, T) and ``outputs`` (B, T, D)."""

    ids: Tensor
    outputs: Tensor
    count: int

    @property
    def is_small(self) -> bool:
        """Whether the gradients themselves are cheaper than all pairs of positions: in a table of characters, not of words."""
        return WORTH * self.count < self.ids.shape[1] ** 2

    def shared(self, places: Tensor) -> Rows:
        """Of contributions of several examples."""
        return Rows(_gathered(self.ids, places), _gathered(self.outputs, places), self.count)

    def direct(self) -> Tensor:
        """(B, count, D) the gradients."""
        found = self.outputs.new_zeros(len(self.ids), self.count, self.outputs.shape[2])
        return found.scatter_add_(1, self.ids.unsqueeze(2).expand_as(self.outputs), self.outputs)

    def squares(self) -> Tensor:
        """(B, T, T) what the squared norm is the sum of."""
        return (self.outputs @ self.outputs.mT) * (self.ids.unsqueeze(2) == self.ids.unsqueeze(1))

    def add(self, factors: Tensor, total: Tensor) -> None:
        """Each row once for every position that names it."""
        total.index_add_(0, self.ids.flatten(), (self.outputs * factors[:, None, None]).flatten(0, 1))


@dataclass(frozen=True)
class Whole:
    """Gradients as they are, (B, ...)."""

    gradients: Tensor

    def shared(self, places: Tensor) -> Whole:
        """Of contributions of several examples."""
        padded = torch.cat([self.gradients, self.gradients.new_zeros(1, *self.gradients.shape[1:])])
        return Whole(padded[places].sum(dim=1))

    def add(self, factors: Tensor, total: Tensor) -> None:
        """Weighted and summed."""
        total += torch.einsum("b,b...->...", factors, self.gradients)


Part = Products | Rows | Whole


@dataclass(frozen=True)
class Use:
    """All uses of one trained weight in a pass. ``turned``: its parts are of the transposed weight."""

    name: str
    parts: tuple[Part, ...]
    turned: bool = False

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        """Each as it is cheapest."""
        return tuple(Whole(part.direct()) if not isinstance(part, Whole) and part.is_small and len(self.parts) == 1 else part for part in self.parts)

    def norms(self) -> Tensor:
        """(B,) the norm of each example's gradient of this weight, fp32."""
        parts = self._parts
        if all(isinstance(part, Whole) for part in parts):
            return norms_of([sum(part.gradients for part in parts if isinstance(part, Whole))])  # type: ignore[list-item]
        products = [part.squares() for part in parts if not isinstance(part, Whole)] + [2 * _crossed(one, other) for one, other in combinations(parts, 2)]
        total, parted = (sum(found.sum(dim=(1, 2)) for found in kind) for kind in (products, [found.abs() for found in products]))
        return (total.clamp(min=0) + _samplers.CANCELLED * parted).sqrt()  # type: ignore[union-attr]

    def add(self, factors: Tensor, sums: Mapping[str, Tensor]) -> None:
        """Add the gradients, each times its factor."""
        total = sums[self.name].mT if self.turned else sums[self.name]
        for part in self._parts:
            part.add(factors, total)


def _crossed(one: Part, other: Part) -> Tensor:
    """(B, T, S) what the inner product of two parts of one gradient is the sum of: a head and the embedding that it shares its weight with."""
    products, rows = (one, other) if isinstance(one, Products) else (other, one)
    assert isinstance(products, Products) and isinstance(rows, Rows)
    of_rows = products.outputs.gather(2, rows.ids.unsqueeze(1).expand(-1, products.outputs.shape[1], -1))
    return of_rows * (products.inputs @ rows.outputs.mT)


def places_of(shares: Shares) -> Tensor:
    """(U, M) which examples are of each contribution, filled up with one that is none: their number."""
    examples = len(shares.owners)
    lengths = torch.bincount(shares.owners, minlength=shares.count)
    order = torch.argsort(shares.owners, stable=True)
    first = torch.cumsum(lengths, 0) - lengths
    columns = torch.arange(int(lengths.max()) if examples else 0, device=order.device)
    places = (first.unsqueeze(1) + columns).clamp(max=max(0, examples - 1))
    return torch.where(columns < lengths.unsqueeze(1), order[places], examples)


def _gathered(values: Tensor, places: Tensor) -> Tensor:
    """(U, M T, ...) the positions (B, T, ...) of a contribution's examples one after the other; nothing where there is none."""
    padded = torch.cat([values, values.new_zeros(1, *values.shape[1:])])
    return padded[places].flatten(1, 2)


def uses_of(calls: Sequence[Call], names: Mapping[int, str], examples: int, places: Tensor | None = None) -> list[Use]:
    """Every trained weight that a pass used, with its parts, of each example or of each contribution of several (``places``).

    Raises UnseenWeight for a layer that was not asked once per example, and for a weight that is shared with a layer of an unknown kind.
    """
    parts: dict[str, list[Part]] = {}
    turned: set[str] = set()
    for layer, inputs, gradient in calls:
        if len(gradient) != examples:
            raise UnseenWeight(f"{type(layer).__name__}: it was asked about {len(gradient)} rows for {examples} examples, so they cannot be told apart")
        for name, part in _known(layer)(layer, inputs, gradient.float(), names):
            parts.setdefault(name, []).append(part if places is None else part.shared(places))
        if isinstance(layer, Conv1D):
            turned |= {names[id(layer.weight)]} if id(layer.weight) in names else set()
    for name, found in parts.items():
        if len({isinstance(part, Whole) for part in found}) > 1:
            raise UnseenWeight(f"{name}: two layers share it, and one of them uses it in a way of its own")
    return [Use(name, _joined(found), name in turned) for name, found in parts.items()]


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Uses of one kind as one: more positions."""
    if len(parts) == 1:
        return (parts[0],)
    products, rows = [part for part in parts if isinstance(part, Products)], [part for part in parts if isinstance(part, Rows)]
    wholes = [part.gradients for part in parts if isinstance(part, Whole)]
    joined: list[Part] = []
    if products:
        joined.append(Products(torch.cat([part.inputs for part in products], 1), torch.cat([part.outputs for part in products], 1)))
    if rows:
        joined.append(Rows(torch.cat([part.ids for part in rows], 1), torch.cat([part.outputs for part in rows], 1), rows[0].count))
    return (*joined, *([Whole(torch.stack(wholes).sum(0))] if wholes else []))


Found = list[tuple[str, Part]]
Reader = Callable[[nn.Module, tuple[Tensor, ...], Tensor, Mapping[int, str]], Found]


def _linear(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    """A linear map, whichever way round its weight is."""
    outputs = _positions(gradient)
    return _of(layer, names, weight=lambda: Products(_positions(inputs[0].float()), outputs), bias=lambda: Whole(outputs.sum(dim=1)))


def _embedding(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    assert isinstance(layer, nn.Embedding)
    ids = inputs[0].reshape(len(gradient), -1)
    outputs = _positions(gradient)
    if layer.padding_idx is not None:
        outputs = outputs * ids.ne(layer.padding_idx).unsqueeze(-1)
    return _of(layer, names, weight=lambda: Rows(ids, outputs, layer.num_embeddings))


def _layer_norm(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    """A scale and a shift per unit."""
    shape = _shape(layer)

    def weight() -> Part:
        normal = nn.functional.layer_norm(inputs[0].float(), shape, eps=layer.eps)  # type: ignore[arg-type]
        return Whole(_summed(normal * gradient, shape))

    return _of(layer, names, weight=weight, bias=lambda: Whole(_summed(gradient, shape)))


def _rms_norm(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    shape = _shape(layer)
    normal = nn.functional.rms_norm(inputs[0].float(), shape, eps=layer.eps)  # type: ignore[arg-type]
    return _of(layer, names, weight=lambda: Whole(_summed(normal * gradient, shape)))


def _intercept(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    return _of(layer, names, bias=lambda: Whole(gradient))


def _per_example(layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor, names: Mapping[int, str]) -> Found:
    """Any other layer: its own gradients, example by example, from a pass through it alone."""
    from torch.func import functional_call, vjp, vmap

    trained = {name: parameter.detach() for name, parameter in layer.named_parameters(recurse=False) if id(parameter) in names}

    def one(single: tuple[Tensor, ...], cotangent: Tensor) -> dict[str, Tensor]:
        back = vjp(lambda weights: functional_call(layer, weights, tuple(value.unsqueeze(0) for value in single)), trained)[1]
        return back(cotangent.unsqueeze(0))[0]  # type: ignore[no-any-return]

    found = vmap(one)(inputs, gradient)
    return [(names[id(parameter)], Whole(found[name].float())) for name, parameter in layer.named_parameters(recurse=False) if name in found]


READERS: dict[type[nn.Module], Reader] = {
    nn.Linear: _linear,
    Conv1D: _linear,
    nn.Embedding: _embedding,
    nn.LayerNorm: _layer_norm,
    nn.RMSNorm: _rms_norm,
    Intercept: _intercept,
}


def _known(layer: nn.Module) -> Reader:
    """By what it computes: a kind of embedding that scales its rows is none."""
    return next((reader for kind, reader in READERS.items() if isinstance(layer, kind) and type(layer).forward is kind.forward), _per_example)


def trains_bias_alone(layer: nn.Module, names: Mapping[int, str]) -> bool:
    """Whether what a layer reads does not matter: of its weights the bias alone is trained."""
    return all(name == "bias" for name, parameter in layer.named_parameters(recurse=False) if id(parameter) in names)


def is_known(layer: nn.Module) -> bool:
    """Whether its gradients follow from what it read and the gradient of what it said by a formula."""
    return _known(layer) is not _per_example


def _of(layer: nn.Module, names: Mapping[int, str], **parts: Callable[[], Part]) -> Found:
    """The parts of the weights that are trained."""
    own = {attribute: getattr(layer, attribute, None) for attribute in parts}
    return [(names[id(own[attribute])], part()) for attribute, part in parts.items() if id(own[attribute]) in names]


def _shape(layer: nn.Module) -> list[int]:
    """The sizes that a layer normalises over."""
    return [int(size) for size in layer.normalized_shape]  # type: ignore[union-attr]


def _positions(values: Tensor) -> Tensor:
    """(B, T, D) of values (B, ..., D)."""
    return values.reshape(len(values), -1, values.shape[-1])


def _summed(values: Tensor, shape: Sequence[int]) -> Tensor:
    """(B, *shape) summed over positions."""
    return values.reshape(len(values), -1, *shape).sum(dim=1)
