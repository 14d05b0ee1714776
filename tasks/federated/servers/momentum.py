"""Server momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.server import Server, State

if TYPE_CHECKING:
    from torch import Tensor


class Momentum(Server):
    """FedAvgM (Hsu, Qi and Brown 2019): v = beta v + update, x + learning_rate * v. State ``momentum/<parameter>``, float64."""

    kind: Literal["momentum"]
    beta: float = Field(default=0.9, ge=0, lt=1, description="How much of the last step's direction is kept.")

    def apply(self, parameters: Mapping[str, Tensor], update: Mapping[str, Tensor], state: State) -> State:
        """Add the sum of this update and of what is left of earlier ones."""
        from tasks.federated.servers._steps import move

        after: State = {}
        for name, change in update.items():
            before = state.get(f"momentum/{name}")
            direction = change.clone() if before is None else before * self.beta + change
            move(parameters[name], direction, self.learning_rate)
            after[f"momentum/{name}"] = direction
        return after
