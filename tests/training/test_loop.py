"""The loop equals a plain training written out, keeps the best weights, and says when it diverged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tasks.models.batches import encode_split, network_inputs
from tasks.models.losses import per_example_loss
from tasks.models.model import MODELS, TaskShape
from tasks.training.loop import Loop, TrainingDiverged
from tests.conftest import Prepare
from tests.training.trainings import ADAMW, BILSTM, DATA, LINEAR, MOMENTUM, equal, loop, weights

PLAIN = {**BILSTM, "dropout": 0.0}


@pytest.mark.parametrize("optimizer", [{**ADAMW, "weight_decay": 0.1}, {**MOMENTUM, "weight_decay": 0.01}])
@pytest.mark.parametrize("norm", [None, 0.2])
def test_a_training_equals_one_written_out_by_hand(optimizer: dict[str, Any], norm: float | None, prepare: Prepare, tmp_path: Path) -> None:
    """Without dropout: the update rules themselves, not torch's classes; rates from the closed form."""
    data = prepare({**DATA, "task": "joint"})
    training = {"epochs": 2, "expected_batch_size": 32, "optimizer": optimizer, "schedule": {"kind": "linear"}, "max_gradient_norm": norm}
    found = loop(data, PLAIN, training, tmp_path)
    twin = loop(data, PLAIN, training, tmp_path / "twin")
    found.run()
    network = twin.network
    state: dict[str, Any] = {}
    for step in range(twin.steps):
        rate = optimizer["learning_rate"] * (1 - step / twin.steps)
        network.zero_grad()
        twin.gradient(network, twin.batches[step], step)
        size = math.sqrt(sum(float(value.grad.square().sum()) for value in network.parameters() if value.grad is not None))
        scale = 1.0 if norm is None else min(1.0, norm / (size + 1e-6))
        for name, value in network.named_parameters():
            assert value.grad is not None
            state[name] = updated(value, value.grad * scale, state.get(name), rate, step + 1, optimizer)
    for name, value in found.network.named_parameters():
        torch.testing.assert_close(value, network.get_parameter(name), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def updated(value: Tensor, gradient: Tensor, state: Any, rate: float, step: int, optimizer: dict[str, Any]) -> Any:
    """One update as the papers write it; returns what must be remembered."""
    decay = optimizer["weight_decay"]
    if optimizer["kind"] == "sgd":
        moved = gradient + decay * value
        velocity = moved if state is None else optimizer["momentum"] * state + moved
        value -= rate * velocity
        return velocity
    first, second = state or (torch.zeros_like(value), torch.zeros_like(value))
    first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
    value -= rate * decay * value
    value -= rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    return first, second


@pytest.mark.parametrize("piece", [1, 3, 5, 16, 100])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(piece: int, prepare: Prepare, tmp_path: Path) -> None:
    """To the precision of a loss, which is fp32; the oracle is one backward of the mean loss over the batch."""
    data = prepare({**DATA, "task": "joint"})
    found = loop(data, PLAIN, {"optimizer": ADAMW}, tmp_path, piece=piece)
    network, indices = found.network.double(), torch.arange(16)
    loss = found.gradient(network, indices, 0)
    assert loss is not None
    pieces = {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}
    shape = TaskShape(data.task, data.labels, data.slots)
    encoder = MODELS.parse(PLAIN).tokenizer.build(None)  # type: ignore[attr-defined]
    batch = encode_split(data.split("train"), encoder, shape).batch(indices)
    network.zero_grad()
    whole = per_example_loss(network(**network_inputs(batch)), batch).mean()
    whole.backward()  # type: ignore[no-untyped-call]
    assert float(loss) == pytest.approx(float(whole.detach()), abs=1e-6)
    for name, value in network.named_parameters():
        assert value.grad is not None
        torch.testing.assert_close(pieces[name], value.grad, atol=2e-8, rtol=1e-6)


def test_a_mean_of_means_would_be_seen(prepare: Prepare, tmp_path: Path) -> None:
    data = prepare({**DATA, "task": "joint"})
    found = loop(data, PLAIN, {"optimizer": ADAMW}, tmp_path)
    gradients = []
    for parts in ([torch.arange(16)], [torch.arange(15), torch.tensor([15])]):
        total: dict[str, Tensor] = {}
        for part in parts:
            found.network.zero_grad()
            found.gradient(found.network, part, 0)
            for name, value in found.network.named_parameters():
                assert value.grad is not None
                total[name] = total.get(name, torch.zeros_like(value)) + value.grad / len(parts)
        gradients.append(total)
    assert max(float((gradients[0][name] - gradients[1][name]).abs().max()) for name in gradients[0]) > 1e-3


def planned(found: Loop, values: list[float], metric: str) -> list[dict[str, Tensor]]:
    """Let validation say planned values; returns the weights it saw, epoch by epoch."""
    seen: list[dict[str, Tensor]] = []

    def evaluate() -> dict[str, float]:
        seen.append(weights(found.network))
        return {"loss": 1.0, metric: values[len(seen) - 1]}

    found.evaluate = evaluate
    return seen


@pytest.mark.parametrize(
    ("metric", "values", "best", "epochs"),
    [
        ("loss", [3.0, 2.0, 2.5, 2.4, 1.0], 1, 4),
        ("loss", [3.0, 2.0, 2.5, 1.0, 1.2, 1.1], 3, 6),
        ("loss", [3.0, 2.95, 2.9, 1.0], 0, 3),
        ("accuracy", [0.1, 0.9, 0.3, 0.2, 1.0], 1, 4),
        ("accuracy", [0.5, 0.4, 0.9, 0.9, 0.9], 2, 5),
    ],
)
def test_early_stopping_keeps_the_best_weights(metric: str, values: list[float], best: int, epochs: int, prepare: Prepare, tmp_path: Path) -> None:
    """Patience 2, least change 0.2; values that get better too late or too little are not waited for."""
    stopping = {"metric": metric, "patience": 2, "min_delta": 0.2}
    training = {"epochs": len(values), "expected_batch_size": 64, "optimizer": ADAMW, "early_stopping": stopping}
    found = loop(prepare({**DATA, "task": "intent"}), LINEAR, training, tmp_path)
    seen = planned(found, values, metric)
    progress = found.run()
    assert len(seen) == epochs and progress.stopped == (epochs < len(values) or progress.stale_epochs == 2)
    assert progress.best == values[best] and equal(weights(found.network), seen[best])
    assert not equal(weights(found.network), seen[-1])  # the last weights are others


def nothing(network: nn.Module, indices: Tensor, step: int) -> Tensor:
    return torch.tensor(1.0)


@pytest.mark.parametrize("fault", ["loss", "weight", "validation"])
def test_a_training_that_diverged_says_so_in_one_line(fault: str, prepare: Prepare, tmp_path: Path) -> None:
    training: dict[str, Any] = {"epochs": 1, "expected_batch_size": 64, "optimizer": ADAMW}
    if fault == "validation":
        training["early_stopping"] = {"metric": "loss"}
    found = loop(prepare({**DATA, "task": "intent"}), LINEAR, training, tmp_path)
    found.gradient = nothing
    match fault:
        case "loss":
            found.gradient = lambda network, indices, step: torch.tensor(float("nan"))
        case "weight":
            with torch.no_grad():
                next(found.network.parameters()).view(-1)[0] = float("inf")
        case _:
            found.evaluate = lambda: {"loss": float("nan")}
    with pytest.raises(TrainingDiverged, match=r"not a number after step \d: lower training\.optimizer\.learning_rate") as caught:
        found.run()
    assert "\n" not in str(caught.value) and fault in str(caught.value)


def test_a_learning_rate_far_too_high_diverges_for_real(prepare: Prepare, tmp_path: Path) -> None:
    training = {"epochs": 30, "expected_batch_size": 16, "optimizer": {"kind": "sgd", "learning_rate": 1000, "momentum": 0.99, "weight_decay": 1}}
    with pytest.raises(TrainingDiverged):
        loop(prepare({**DATA, "task": "intent"}), LINEAR, training, tmp_path).run()


def test_the_series_tells_loss_and_rate_of_the_step(prepare: Prepare, tmp_path: Path) -> None:
    schedule = {"kind": "cosine", "warmup": 0.25}
    found = loop(prepare({**DATA, "task": "intent"}), LINEAR, {"epochs": 4, "expected_batch_size": 32, "optimizer": ADAMW, "schedule": schedule}, tmp_path)
    found.run()
    points = [json.loads(line) for line in (tmp_path / "report" / "metrics.jsonl").read_text().splitlines()]
    rates = {point["step"]: point["value"] for point in points if point["name"] == "train/learning_rate"}
    steps = found.steps
    rise = 0.25 * steps
    for step in range(steps):
        share = (step - rise) / (steps - rise)
        factor = (step + 1) / (rise + 1) if step < rise else (1 + math.cos(math.pi * share)) / 2
        assert rates[step + 1] == pytest.approx(0.01 * factor)
    losses = [point["value"] for point in points if point["name"] == "train/loss"]
    assert len(losses) == steps and losses[0] == pytest.approx(math.log(4), abs=1e-5) and losses[-1] < losses[0]


def test_dropout_is_drawn_anew_for_every_step_and_piece(prepare: Prepare, tmp_path: Path) -> None:
    """The same examples, asked twice in one step, are dropped alike; in another step, or as another piece, they are not."""
    found = loop(prepare({**DATA, "task": "joint"}), BILSTM, {"optimizer": ADAMW}, tmp_path, piece=8)

    def asked(indices: Tensor, step: int) -> float:
        found.network.zero_grad()
        loss = found.gradient(found.network, indices, step)
        assert loss is not None
        return float(loss)

    alone, twice = torch.arange(8), torch.arange(8).repeat(2)
    assert asked(alone, 1) == asked(alone, 1) != asked(alone, 2)
    assert asked(twice, 1) != pytest.approx(asked(alone, 1), rel=1e-4)  # the mean of two pieces; equal masks would give the mean of one
