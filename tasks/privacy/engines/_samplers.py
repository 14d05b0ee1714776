"""What Opacus is told of layers that it does not know: ours, and GPT-2's."""

from __future__ import annotations

from functools import cache

import torch
from opacus.grad_sample import register_grad_sampler, register_norm_sampler
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tasks.models._linear import Intercept


@cache
def register() -> None:
    """Tell it, once per process."""
    register_grad_sampler(Intercept)(_intercept)
    register_norm_sampler(Intercept)(_intercept_norm)
    register_grad_sampler(Conv1D)(_transposed_linear)
    register_norm_sampler(Conv1D)(_transposed_linear_norm)


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


def _transposed_linear_norm(layer: nn.Module, activations: list[Tensor], backprops: Tensor) -> dict[nn.Parameter, Tensor]:
    """Its ghost norm: sum over positions t, s of (a_t . a_s)(b_t . b_s)."""
    inputs, found = activations[0], {}
    if layer.weight.requires_grad:
        products = torch.einsum("nti,nsi->nts", inputs, inputs) * torch.einsum("ntj,nsj->nts", backprops, backprops)
        found[layer.weight] = products.sum(dim=(1, 2)).clamp(min=0).sqrt()
    if layer.bias.requires_grad:
        found[layer.bias] = backprops.sum(dim=1).norm(dim=-1)
    return found  # type: ignore[return-value]
