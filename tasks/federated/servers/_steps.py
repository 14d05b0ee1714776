"""Steps of server rules. All is worked out in float64, as updates are summed; only the parameters are rounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tasks.federated.server import State


@torch.no_grad()
def move(parameter: Tensor, direction: Tensor, length: float) -> None:
    """Move a parameter in place."""
    parameter.add_(direction, alpha=length)


@torch.no_grad()
def adaptive(
    parameters: Mapping[str, Tensor],
    update: Mapping[str, Tensor],
    state: State,
    learning_rate: float,
    tau: float,
    beta_1: float,
    second: Callable[[Tensor, Tensor], Tensor],
) -> State:
    """Algorithm 2 of Reddi et al. (ICLR 2021): m = beta_1 m + (1 - beta_1) update; v = second(v, update^2), from tau^2 on, its least value
    there; x + learning_rate m / (sqrt(v) + tau). No bias is corrected. Without beta_1 there is no m to keep."""
    after: State = {}
    for name, change in update.items():
        direction = change
        if beta_1:
            direction = change * (1 - beta_1)
            if state:
                direction += state[f"mean/{name}"] * beta_1
            after[f"mean/{name}"] = direction
        before = state[f"square/{name}"] if state else torch.full_like(change, tau**2)
        after[f"square/{name}"] = second(before, change.square())
        move(parameters[name], direction / (after[f"square/{name}"].sqrt() + tau), learning_rate)
    return after
