"""The LSTM on plain linear maps equals torch's, value by value and gradient by gradient, and shares its weights with the fused kernel."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError

from tasks.models import _lstm
from tasks.models._bilstm import BiLstmNetwork
from tasks.models._lstm import BiLstmLayer, LstmDirection, Recurrence, packed, padded, unrolled
from tasks.models.losses import example_losses
from tests.models.samples import farthest, gradients, inputs

LENGTHS = [7, 1, 4, 7, 2]
INPUTS, HIDDEN = 6, 5
EXACT = 1e-12


def vectors(extra: int = 2) -> tuple[Tensor, Tensor]:
    """Inputs (B, L, D) in float64 with a gradient, and which are there; what pads is not zero."""
    positions = torch.arange(max(LENGTHS) + extra).expand(len(LENGTHS), -1)
    mask = positions < torch.tensor(LENGTHS).unsqueeze(1)
    found = torch.randn(*mask.shape, INPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return found.requires_grad_(), mask


def layer() -> BiLstmLayer:
    torch.manual_seed(1)
    return BiLstmLayer(INPUTS, HIDDEN).double()


def twin_of(ours: BiLstmLayer) -> nn.LSTM:
    """torch's LSTM with copies of the weights, set by name."""
    twin = nn.LSTM(INPUTS, HIDDEN, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for direction, end in ((ours.forwards, ""), (ours.backwards, "_reverse")):
            for part in ("ih", "hh"):
                for kind in ("weight", "bias"):
                    twin.get_parameter(f"{kind}_{part}_l0{end}").copy_(direction.get_parameter(f"{part}.{kind}"))
    return twin


def by_torch(twin: nn.LSTM, given: Tensor, mask: Tensor) -> Tensor:
    return padded(twin(packed(given, mask))[0], mask.shape[1])


def pulled(states: Tensor, given: Tensor, network: nn.Module) -> dict[str, Tensor]:
    """Gradients of the inputs and of every weight of some function of all states."""
    pull = torch.randn(states.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    names, values = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad((states * pull).sum() + (states**2).sum(), (given, *values))
    return dict(zip(("inputs", *names), found, strict=True))


def test_a_layer_equals_that_of_torch() -> None:
    ours = layer()
    twin = twin_of(ours)
    given, mask = vectors()
    states, expected = ours(given, mask), by_torch(twin, given, mask)
    assert farthest({"states": states}, {"states": expected}) < EXACT
    assert not bool(states[~mask].any())
    found, wanted = pulled(states, given, ours), pulled(expected, given, twin)
    renamed = {
        f"{way}.{part}.{kind}": wanted[f"{kind}_{part}_l0{end}"]
        for way, end in (("forwards", ""), ("backwards", "_reverse"))
        for part in ("ih", "hh")
        for kind in ("weight", "bias")
    }
    assert farthest(found, {"inputs": wanted["inputs"], **renamed}) < EXACT


@pytest.mark.parametrize("reverse", [False, True])
def test_a_direction_equals_one_example_at_a_time(reverse: bool) -> None:
    """Without padding and packing: torch's cell, step after step."""
    torch.manual_seed(4)
    direction = LstmDirection(INPUTS, HIDDEN, reverse).double()
    given, mask = vectors()
    states = direction(given, mask)
    weights = [direction.get_parameter(name) for name in ("ih.weight", "hh.weight", "ih.bias", "hh.bias")]
    for row, length in enumerate(LENGTHS):
        hidden = cell = torch.zeros(1, HIDDEN, dtype=torch.float64)
        for place in reversed(range(length)) if reverse else range(length):
            hidden, cell = torch.lstm_cell(given[row : row + 1, place], (hidden, cell), *weights)
            torch.testing.assert_close(states[row, place], hidden[0], atol=EXACT, rtol=0)


def sums(before: Tensor, recurrent: Tensor, bias: Tensor, mask: Tensor, reverse: bool) -> Tensor:
    """States as a function of the inputs' part of the gates, the states' part found without a gradient, as a layer finds it."""
    run = unrolled(before.detach(), recurrent, bias, mask, reverse)
    states: Tensor = Recurrence.apply(before + nn.functional.linear(run.previous, recurrent, bias), recurrent, mask, reverse, *run)  # type: ignore[no-untyped-call]
    return states


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("recurrent", [0.0, 0.8])
def test_the_recurrence_passes_a_numerical_check_of_its_gradient(recurrent: float, reverse: bool) -> None:
    """Differences of the function against its backward pass, in float64; with no recurrent weight each step stands alone."""
    generator = torch.Generator().manual_seed(5)
    before, weight, bias = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((3, 5, 12), (12, 3), (12,)))
    mask = torch.arange(5) < torch.tensor([5, 1, 3]).unsqueeze(1)
    before.requires_grad_()
    assert torch.autograd.gradcheck(lambda value: sums(value, recurrent * weight, bias, mask, reverse), (before,), fast_mode=False)


def test_a_recurrence_that_forgets_later_steps_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _lstm._through_time
    monkeypatch.setattr(_lstm, "_through_time", lambda run, recurrent, *others: kept(run, 0 * recurrent, *others))
    with pytest.raises(GradcheckError):
        test_the_recurrence_passes_a_numerical_check_of_its_gradient(0.8, False)


def stepped(network: nn.Module) -> None:
    """A step of an optimizer on every weight, with gradients of ones."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    for value in network.parameters():
        value.grad = torch.ones_like(value)
    optimizer.step()
    optimizer.zero_grad()


def loaded(network: BiLstmLayer, folder: Path) -> BiLstmLayer:
    """Through a file, into a layer with other weights."""
    safetensors.torch.save_model(network, str(folder / "layer.safetensors"))
    other = BiLstmLayer(INPUTS, HIDDEN).double()
    safetensors.torch.load_model(other, str(folder / "layer.safetensors"))
    return other


def restored(network: BiLstmLayer) -> BiLstmLayer:
    other = BiLstmLayer(INPUTS, HIDDEN).double()
    other.load_state_dict(network.state_dict())
    return other


def changed(network: BiLstmLayer) -> BiLstmLayer:
    stepped(network)
    return network


WAYS: dict[str, Callable[[BiLstmLayer, Path], BiLstmLayer]] = {
    "as made": lambda network, folder: network,
    "deepcopy": lambda network, folder: copy.deepcopy(network),
    "float and back": lambda network, folder: network.float().double(),
    "to the device": lambda network, folder: network.to("cpu"),
    "optimizer": lambda network, folder: changed(network),
    "copy, then optimizer": lambda network, folder: changed(copy.deepcopy(network)),
    "load_state_dict": lambda network, folder: changed(restored(network)),
    "safetensors": lambda network, folder: changed(loaded(network, folder)),
}


def apart(network: BiLstmLayer) -> float:
    """How far the fused kernel is from the layer."""
    given, mask = vectors()
    return farthest({"": network(given, mask)}, {"": padded(network.fused(packed(given, mask)), mask.shape[1])})


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_fused_kernel_holds_the_very_weights(way: str, tmp_path: Path) -> None:
    network = WAYS[way](layer(), tmp_path)
    assert apart(network) < EXACT
    [kernel] = network._kernel
    assert {id(value) for value in kernel.parameters()} == {id(value) for value in network.parameters()}


def test_weights_that_are_not_shared_would_be_seen() -> None:
    network = layer()
    network._kernel = (copy.deepcopy(network._kernel[0]),)
    assert apart(network) < EXACT
    stepped(network)
    assert apart(network) > 1e-3


def test_every_weight_is_listed_once() -> None:
    network = BiLstmNetwork(30, INPUTS, HIDDEN, 2, 0.0, 0, 3, 4)
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    per_layer = [
        f"layers.{index}.{way}.{part}.{kind}" for index in (0, 1) for way in ("forwards", "backwards") for part in ("ih", "hh") for kind in ("weight", "bias")
    ]
    heads = ["intent.weight", "intent.bias", "slots.weight", "slots.bias"]
    assert sorted(names) == sorted(network.state_dict()) == sorted(["embedding.weight", *per_layer, *heads])
    assert not any(isinstance(module, nn.LSTM) for module in network.modules())


def test_training_is_the_same_by_either_kernel() -> None:
    """A few steps of AdamW in float64; another gate's gradient would send the weights elsewhere."""
    torch.manual_seed(6)
    fused = BiLstmNetwork(30, INPUTS, HIDDEN, 2, 0.0, 0, 3, 4).double()
    ours = copy.deepcopy(fused)
    ours.fused = False
    batch = inputs(LENGTHS, 30, extra=1)
    batch |= {"labels": torch.tensor([0, 1, 2, 1, 0]), "slots": (batch["input_ids"] % 4).masked_fill(~batch["attention_mask"], -100)}
    begun = {name: value.detach().clone() for name, value in fused.named_parameters()}
    for network in (fused, ours):
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
        for _ in range(6):
            optimizer.zero_grad()
            example_losses(network, batch).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    ends = [dict(network.named_parameters()) for network in (fused, ours)]
    assert farthest(*ends) < 1e-6 and farthest(gradients(fused), gradients(ours)) < 1e-6  # a loss is fp32
    assert farthest(ends[0], begun) > 0.01
