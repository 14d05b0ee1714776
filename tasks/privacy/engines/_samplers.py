"""What Opacus is told of layers that it does not know: ours, and GPT-2's."""

from __future__ import annotations

from functools import cache

import torch
from opacus.grad_sample import register_grad_sampler, register_norm_sampler
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tasks.models._linear import Intercept

CANCELLED = 1e-6
"""By which share of its parts without their signs a ghost norm, or its square, is lifted. Where parts cancel, the rounding of fp32 is relative to
them and not to their sum, in the norm and in the sum that is released: without it a contribution was found eight times as long as the clip norm.
"""


@cache
def register() -> None:
    """Tell it, once per process."""
    register_grad_sampler(Intercept)(_intercept)
    register_norm_sampler(Intercept)(_intercept_norm)
    register_grad_sampler(Conv1D)(_transposed_linear)
    register_norm_sampler((nn.Linear, Conv1D))(_map_norm)
    register_norm_sampler(nn.Embedding)(_embedding_norm)
    register_norm_sampler(nn.LayerNorm)(_layer_norm_norm)


def forget(network: nn.Module) -> None:
    """Drop what the hooks noted of layers that took part forwards alone (a pooler that nobody reads): Opacus would take the next pass for a
    second use of their weights, and keep every input.
    """
    for module in network.modules():
        module.__dict__.pop("activations", None)
        module.__dict__.pop("max_batch_len", None)
    for parameter in network.parameters():
        if hasattr(parameter, "_forward_counter"):
            parameter._forward_counter = 0


def _intercept(layer: Intercept, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    return {layer.bias: backprops}


def _intercept_norm(layer: Intercept, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    return {layer.bias: backprops.float().norm(dim=-1)}


def _transposed_linear(layer: nn.Module, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    """GPT-2's Conv1D: a linear layer whose weight is (inputs, outputs)."""
    found = {}
    if layer.weight.requires_grad:
        found[layer.weight] = torch.einsum("n...i,n...j->nij", activations[0].to(backprops.dtype), backprops)
    if layer.bias.requires_grad:
        found[layer.bias] = torch.einsum("n...j->nj", backprops)
    return found  # type: ignore[return-value]


def _map_norm(layer: nn.Module, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    """Ghost norms of a linear map, whichever way round its weight is: sum over positions t, s of (a_t . a_s)(b_t . b_s)."""
    inputs, outputs = _positions(activations[0].to(backprops.dtype)), _positions(backprops)
    found = {}
    if layer.weight.requires_grad:
        found[layer.weight] = _norm_of_products((inputs @ inputs.mT) * (outputs @ outputs.mT))
    if layer.bias is not None and layer.bias.requires_grad:
        found[layer.bias] = _norm_of_sum(outputs)
    return found  # type: ignore[return-value]


def _embedding_norm(layer: nn.Embedding, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    """The same with a_t . a_s = 1 where both tokens are one, else 0."""
    ids, outputs = activations[0].reshape(len(backprops), -1), _positions(backprops)
    return {layer.weight: _norm_of_products((outputs @ outputs.mT) * (ids.unsqueeze(2) == ids.unsqueeze(1)))}  # type: ignore[dict-item]


def _layer_norm_norm(layer: nn.LayerNorm, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    """A scale and a shift per unit: sums over positions."""
    found = {}
    outputs = backprops.reshape(len(backprops), -1, layer.weight.numel())
    if layer.weight.requires_grad:
        scaled = nn.functional.layer_norm(activations[0], layer.normalized_shape, eps=layer.eps)
        found[layer.weight] = _norm_of_sum(scaled.reshape(outputs.shape) * outputs)
    if layer.bias is not None and layer.bias.requires_grad:
        found[layer.bias] = _norm_of_sum(outputs)
    return found


def _positions(values: Tensor) -> Tensor:
    """(B, T, D) of values (B, ..., D)."""
    return values.reshape(len(values), -1, values.shape[-1])


def _norm_of_products(products: Tensor) -> Tensor:
    """(B,) norm of a sum over positions, from the products (B, T, T) of its parts."""
    return (products.sum(dim=(1, 2)).clamp(min=0) + CANCELLED * products.abs().sum(dim=(1, 2))).sqrt()


def _norm_of_sum(parts: Tensor) -> Tensor:
    """(B,) norm of the sum over positions of parts (B, T, D)."""
    norm: Tensor = parts.sum(dim=1).norm(dim=1) + CANCELLED * parts.abs().sum(dim=1).norm(dim=1)
    return norm
