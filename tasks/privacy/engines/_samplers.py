"""What Opacus is told of layers that it does not know: ours, and GPT-2's."""

from __future__ import annotations

from functools import cache

import torch
from opacus.grad_sample import register_grad_sampler, register_norm_sampler
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tasks.models._linear import Intercept

CANCELLED = 1e-6
"""Share of the square of all parts together by which a squared ghost norm is lifted: rounding of fp32."""


@cache
def register() -> None:
    """Tell it, once per process."""
    register_grad_sampler(Intercept)(_intercept)
    register_norm_sampler(Intercept)(_intercept_norm)
    register_grad_sampler(Conv1D)(_transposed_linear)
    register_norm_sampler((nn.Linear, Conv1D))(_map_norm)


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
    inputs, outputs = (value.reshape(len(value), -1, value.shape[-1]) for value in (activations[0].to(backprops.dtype), backprops))
    found = {}
    if layer.weight.requires_grad:
        products = (inputs @ inputs.mT) * (outputs @ outputs.mT)
        found[layer.weight] = _never_below(products.sum(dim=(1, 2)), products.diagonal(dim1=1, dim2=2))
    if layer.bias is not None and layer.bias.requires_grad:
        found[layer.bias] = outputs.sum(dim=1).norm(dim=-1)
    return found  # type: ignore[return-value]


def _never_below(squared: Tensor, parts: Tensor) -> Tensor:
    """The norm of a sum of parts (B, T), whose squares are given, from its square (B,). Where parts cancel, rounding is relative to them and not
    to the sum, in this norm and in the sum that is released; so much is added that the norm is never too small.
    """
    largest = parts.clamp(min=0).sqrt().sum(dim=1)
    return (squared.clamp(min=0) + CANCELLED * largest.square()).sqrt()
