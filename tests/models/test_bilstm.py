"""Our recurrence equals torch's fused kernel on the same weights, and can be batched over examples where that cannot."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from tasks.models._bilstm import BiLstmNetwork
from tasks.models.losses import per_example_loss
from tests.models.samples import farthest, gradients, inputs

LENGTHS = [7, 1, 4, 7, 2]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def network(layers: int, dtype: torch.dtype, dropout: float = 0.0) -> BiLstmNetwork:
    torch.manual_seed(layers)
    return BiLstmNetwork(30, 6, 5, layers, dropout, 0, 3, 4).to(dtype)


def batch(extra: int = 0) -> dict[str, Tensor]:
    found = inputs(LENGTHS, 30, extra)
    found["labels"] = torch.tensor([0, 1, 2, 1, 0])
    found["slots"] = (found["input_ids"] % 4).masked_fill(~found["attention_mask"], -100)
    return found


def both_ways(fused: nn.Module, ours: nn.Module, extra: int = 0) -> tuple[float, float]:
    """How far apart outputs and gradients of two networks are, over words that are there."""
    outputs: list[dict[str, Tensor]] = []
    for found in (fused, ours):
        values = batch(extra)
        logits = found(values["input_ids"], values["attention_mask"], values["position_ids"])
        per_example_loss(logits, values).sum().backward()  # type: ignore[no-untyped-call]
        present = values["attention_mask"].unsqueeze(-1)
        outputs.append({name: value * present if name == "slots" else value for name, value in logits.items()})
    return farthest(outputs[0], outputs[1]), farthest(gradients(fused), gradients(ours))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("extra", [0, 3])
def test_our_recurrence_equals_the_fused_kernel(layers: int, dtype: torch.dtype, extra: int) -> None:
    fused = network(layers, dtype)
    ours = copy.deepcopy(fused)
    ours.fused = False
    forward, backward = both_ways(fused, ours, extra)
    assert forward < TOLERANCE[dtype] and backward < TOLERANCE[dtype]


@pytest.mark.parametrize("gates", [(0, 1), (1, 2), (2, 3), (0, 3)])
def test_swapped_gates_would_be_seen(gates: tuple[int, int]) -> None:
    fused = network(2, torch.float64)
    ours = copy.deepcopy(fused)
    ours.fused = False
    with torch.no_grad():
        weight = ours.get_parameter("layers.1.backwards.hh.weight")
        blocks = list(weight.clone().chunk(4))
        blocks[gates[0]], blocks[gates[1]] = blocks[gates[1]], blocks[gates[0]]
        weight.copy_(torch.cat(blocks))
    forward, backward = both_ways(fused, ours)
    assert forward > 1e-4 and backward > 1e-4


def test_a_mask_that_is_forgotten_would_be_seen() -> None:
    fused = network(1, torch.float64)
    ours = copy.deepcopy(fused)
    ours.fused = False
    values = batch()
    whole = torch.ones_like(values["attention_mask"])
    right = fused(values["input_ids"], values["attention_mask"], values["position_ids"])
    wrong = ours(values["input_ids"], whole, values["position_ids"])
    assert farthest({"intent": right["intent"]}, {"intent": wrong["intent"]}) > 1e-4


def test_gradients_per_example_equal_one_backward_each() -> None:
    """Under vmap and grad, and without any warning of a slow path (warnings are errors)."""
    ours = network(2, torch.float64)
    ours.fused = False
    parameters = {name: value.detach() for name, value in ours.named_parameters()}

    def loss(weights: dict[str, Tensor], example: dict[str, Tensor]) -> Tensor:
        single = {name: value.unsqueeze(0) for name, value in example.items()}
        logits = functional_call(ours, weights, (single["input_ids"], single["attention_mask"], single["position_ids"]))
        return per_example_loss(logits, single).squeeze(0)

    values = batch()
    found = vmap(grad(loss), in_dims=(None, 0))(parameters, values)
    fused = network(2, torch.float64)
    for index in range(len(LENGTHS)):
        single = {name: value[index : index + 1] for name, value in values.items()}
        fused.zero_grad()
        per_example_loss(fused(single["input_ids"], single["attention_mask"], single["position_ids"]), single).sum().backward()  # type: ignore[no-untyped-call]
        assert farthest(gradients(fused), {name: value[index] for name, value in found.items()}) < 1e-12


def test_dropout_between_layers_is_there_in_both() -> None:
    """With dropout the two kernels draw other masks; both must draw some, and none when they predict."""
    for fused in (True, False):
        found = network(2, torch.float64, dropout=0.5)
        found.fused = fused
        values = batch()
        given = (values["input_ids"], values["attention_mask"], values["position_ids"])
        assert farthest(found(*given), found(*given)) > 1e-3
        found.eval()
        assert farthest(found(*given), found(*given)) == 0
