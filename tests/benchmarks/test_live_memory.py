"""Bytes of tensors alive at once: counted by hand, and by torch's profiler, which sees the allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import _disable_current_modes

from tests.benchmarks._live_memory import LiveMemory

N = 1000
BYTES = 4 * N  # of N fp32 numbers


def one_after_another() -> Tensor:
    """Three, at most two of them at once."""
    held = torch.zeros(N) + 1
    del held
    return torch.zeros(N)


def temporary_inside() -> Tensor:
    return (torch.zeros(N) + 1).mul_(2)


def resized() -> Tensor:
    return torch.zeros(10).resize_(N)


def out_of_nothing() -> Tensor:
    return torch.neg(torch.zeros(N), out=torch.empty(0))


def out_of_a_known_one() -> Tensor:
    held = torch.empty(N)
    torch.neg(torch.zeros(N), out=held)
    return held


def views() -> Tensor:
    held = torch.zeros(N)
    held.view(10, N // 10)[3].add_(1)
    return held[:5]


def pieces() -> list[Tensor]:
    return [value + 0 for value in torch.split(torch.zeros(N), N // 4)]


def from_outside() -> Tensor:
    held = torch.from_numpy(np.zeros(N, dtype=np.float32))
    held.add_(1)
    return held


@pytest.mark.parametrize(
    ("act", "peak", "left"),
    [
        (lambda: torch.zeros(N), 1, 1),
        (one_after_another, 2, 1),
        (temporary_inside, 2, 1),
        (resized, 1, 1),
        (out_of_nothing, 2, 1),
        (out_of_a_known_one, 2, 1),
        (views, 1, 1),
        (pieces, 2, 1),
        (from_outside, 1, 1),
        (lambda: torch.tensor([0.0] * N), 1, 1),
        (lambda: None, 0, 0),
    ],
)
def test_what_is_held_is_counted(act: Callable[[], Any], peak: int, left: int) -> None:
    with LiveMemory() as memory:
        held = act()
        assert (memory.peak, memory.now) == (peak * BYTES, left * BYTES)
        del held
        assert (memory.peak, memory.now) == (peak * BYTES, 0)


def test_standing_tensors_are_not_counted() -> None:
    standing, other = torch.zeros(N), torch.zeros(N)
    with LiveMemory([standing]) as memory:
        standing.add_(1)
        assert memory.now == 0
        other.add_(1)
        assert memory.now == BYTES


def test_what_a_backward_pass_needs_is_held_until_it_is_done() -> None:
    weight = torch.zeros(N, requires_grad=True)
    with LiveMemory([weight]) as memory:
        first = weight.exp()
        second = first.exp()
        del first  # its node keeps it
        assert memory.now == 2 * BYTES
        loss = second.sum()
        del second
        assert memory.now == 2 * BYTES + 4
        loss.backward()  # type: ignore[no-untyped-call]
        assert memory.peak == 3 * BYTES + 8  # both results and a gradient; the loss and its own
        del loss
        assert memory.now == BYTES  # weight.grad
        weight.grad = None
        assert memory.now == 0


def network_of(kind: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 8)), torch.randn(512, 64)
    return nn.Sequential(nn.Embedding(500, 32), nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)), torch.randint(500, (16, 24))


def whole_step(network: nn.Module, inputs: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    network(inputs).square().mean().backward()
    optimizer.step()


def by_profiler(kind: str) -> int:
    """The most that a step allocates beyond what it freed."""
    network, inputs = network_of(kind)
    optimizer = torch.optim.AdamW(network.parameters())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as told:
        whole_step(network, inputs, optimizer)
    assert told.profiler is not None and told.profiler.kineto_results is not None
    events = [event for event in told.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum(sizes).max())


def by_live_memory(kind: str) -> int:
    """The same; the inputs were there before."""
    network, inputs = network_of(kind)
    optimizer = torch.optim.AdamW(network.parameters())
    with LiveMemory([*network.parameters(), inputs]) as memory:
        whole_step(network, inputs, optimizer)
    return int(memory.peak)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_the_profiler_finds_the_same_peak(kind: str) -> None:
    assert by_live_memory(kind) == pytest.approx(by_profiler(kind), rel=0.02)


@pytest.mark.parametrize("fault", ["frees nothing", "does not see the backward pass"])
def test_a_fault_would_be_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "frees nothing":
        monkeypatch.setattr(LiveMemory, "_gone", lambda memory, name: None)
    else:
        backward = Tensor.backward

        def unseen(loss: Tensor) -> None:
            with _disable_current_modes():
                backward(loss)  # type: ignore[no-untyped-call]

        monkeypatch.setattr(Tensor, "backward", unseen)
    assert by_live_memory("mlp") != pytest.approx(by_profiler("mlp"), rel=0.02)
