"""Adding the update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from tasks.federated.server import Server, State

if TYPE_CHECKING:
    from torch import Tensor


class ServerSGD(Server):
    """x + learning_rate * update. With learning rate 1 this is FedAvg (McMahan et al., AISTATS 2017). No state."""

    kind: Literal["sgd"]

    def apply(self, parameters: Mapping[str, Tensor], update: Mapping[str, Tensor], state: State) -> State:
        """Add it."""
        from tasks.federated.servers._steps import move

        for name, change in update.items():
            move(parameters[name], change, self.learning_rate)
        return {}
