"""bf16 for torch.func: the same casts as torch's autocast, seen by every transform."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from tasks.training.functional_autocast import FunctionalAutocast


class Small(nn.Module):
    """Products, a residual sum, a layer norm of a product, attention, and a product that torch calls by its operator."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.norm = nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, inputs: Tensor) -> Tensor:
        states = self.norm(self.one(inputs))
        heads = self.two(states).unflatten(-1, (2, 4)).transpose(-3, -2)
        seen = nn.functional.scaled_dot_product_attention(heads, heads, heads).transpose(-3, -2).flatten(-2)
        return torch.addmm(self.two.bias, seen.flatten(0, -2), (states.mT @ states).mean(0).softmax(-1)) + inputs.flatten(0, -2)


def stacked(inside: Callable[[], AbstractContextManager[Any]], network: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """The gradients of as many copies of a network as there are inputs."""

    def loss(weights: dict[str, Tensor], own: Tensor) -> Tensor:
        with inside():
            found: Tensor = functional_call(network, weights, (own,))
        return found.float().square().mean()

    weights = {name: value.detach().expand(len(inputs), *value.shape).clone() for name, value in network.named_parameters()}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return vmap(grad_and_value(loss), randomness="different")(weights, inputs)[0]  # type: ignore[no-any-return]


def bf16() -> AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def test_the_gradients_of_a_stack_are_near_those_of_torchs_autocast() -> None:
    """By as little as torch's are near those of fp32, and they are not those of fp32."""
    torch.manual_seed(0)
    network, inputs = Small(), torch.randn(3, 4, 5, 8)
    found = stacked(FunctionalAutocast, network, inputs)
    for index, own in enumerate(inputs):
        wanted = []
        for inside in (bf16, torch.enable_grad):
            with inside():
                answer = network(own)
            wanted.append(torch.autograd.grad(answer.float().square().mean(), list(network.parameters())))
        for name, torchs, plain in zip(found, *wanted, strict=True):
            assert found[name].dtype == torch.float32
            scale = plain.norm()
            assert (found[name][index] - torchs).norm() < 0.03 * scale
            assert not torch.equal(found[name][index], plain)


def test_torchs_own_fails_inside_a_stack() -> None:
    """Why there is another: where it does not fail any more, this module is not needed."""
    with pytest.raises(RuntimeError, match="expected scalar type"):
        stacked(bf16, Small(), torch.randn(3, 4, 5, 8))


def test_products_are_lowered_and_sums_are_not() -> None:
    one, two = torch.randn(4, 4), torch.randn(4, 4)
    with FunctionalAutocast():
        assert {(one @ two).dtype, torch.mm(one, two).dtype, nn.functional.linear(one, two).dtype} == {torch.bfloat16}
        assert {(one + two).dtype, nn.functional.layer_norm((one @ two), (4,)).dtype, (one @ two).softmax(-1).dtype} == {torch.float32}
        assert torch.addcmul(one @ two, one, two).dtype == torch.float32
        assert torch.addcmul(one @ two, one @ two, one @ two).dtype == torch.bfloat16
        assert (torch.arange(4) * 2).dtype == torch.int64
    assert (one @ two).dtype == torch.float32
