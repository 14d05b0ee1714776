"""Server rules against torch's optimizers with the negative update as gradient, and against the paper's lines in plain Python."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tasks.federated.server import SERVERS, Server, State

UPDATES = [[0.5, -1.0, 0.0], [0.25, 2.0, 1e-6], [-3.0, 0.1, 0.0], [0.5, 0.5, -1e-3]]
START = [1.0, -2.0, 0.5]


def moved(kind: str, **fields: Any) -> list[float]:
    rule = SERVERS.parse({"kind": kind, **fields})
    assert isinstance(rule, Server)
    parameter = torch.tensor(START)
    state: State = {}
    for update in UPDATES:
        state = rule.apply({"w": parameter}, {"w": torch.tensor(update, dtype=torch.float64)}, state)
        state = {name: tensor.clone() for name, tensor in state.items()}  # as after a checkpoint
    found: list[float] = parameter.tolist()
    return found


def by_torch(optimizer: Any) -> list[float]:
    parameter = torch.nn.Parameter(torch.tensor(START))
    stepper = optimizer([parameter])
    for update in UPDATES:
        parameter.grad = -torch.tensor(update)
        stepper.step()
    found: list[float] = parameter.tolist()
    return found


def test_plain_and_momentum_are_torch_s() -> None:
    assert moved("sgd", learning_rate=0.7) == pytest.approx(by_torch(lambda given: torch.optim.SGD(given, lr=0.7)), rel=1e-6)
    expected = by_torch(lambda given: torch.optim.SGD(given, lr=0.7, momentum=0.9))
    assert moved("momentum", learning_rate=0.7, beta=0.9) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["adam", "yogi", "adagrad"])
def test_adaptive_rules_are_algorithm_2_of_reddi_et_al(kind: str) -> None:
    rate, tau, beta_1, beta_2 = 0.1, 1e-2, 0.9, 0.99
    place, mean, square = list(START), [0.0] * 3, [tau**2] * 3
    for update in UPDATES:
        for index, change in enumerate(update):
            mean[index] = change if kind == "adagrad" else beta_1 * mean[index] + (1 - beta_1) * change
            if kind == "adagrad":
                square[index] += change**2
            elif kind == "adam":
                square[index] = beta_2 * square[index] + (1 - beta_2) * change**2
            else:
                square[index] -= (1 - beta_2) * change**2 * math.copysign(1, square[index] - change**2)
            place[index] += rate * mean[index] / (math.sqrt(square[index]) + tau)
    assert moved(kind, learning_rate=rate, tau=tau) == pytest.approx(place, rel=1e-5)


def test_the_rules_differ() -> None:
    ends = {kind: tuple(moved(kind, learning_rate=0.1)) for kind in SERVERS.members()}
    assert len(set(ends.values())) == len(ends) == 5
