"""FedAdam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.server import Server, State

if TYPE_CHECKING:
    from torch import Tensor


class ServerAdam(Server):
    """FedAdam (Reddi et al., ICLR 2021, Algorithm 2): v = beta_2 v + (1 - beta_2) update^2, from tau^2 on; no bias correction.

    State ``mean/<parameter>`` and ``square/<parameter>``, float64. A parameter moves by about ``learning_rate`` a round, however long
    updates are, unless they are as short as ``tau``.
    """

    kind: Literal["adam"]
    learning_rate: float = Field(default=0.01, gt=0, le=1000, description="About how far a parameter moves in a round.")
    beta_1: float = Field(default=0.9, ge=0, lt=1, description="Decay of the mean of updates.")
    beta_2: float = Field(default=0.99, ge=0, lt=1, description="Decay of the mean of their squares.")
    tau: float = Field(default=1e-3, gt=0, le=1000, description="How little it adapts: updates far below this are multiplied by learning_rate / tau.")

    def apply(self, parameters: Mapping[str, Tensor], update: Mapping[str, Tensor], state: State) -> State:
        """One step; the mean of squares forgets at a fixed rate."""
        from tasks.federated.servers._steps import adaptive

        def second(before: Tensor, square: Tensor) -> Tensor:
            return before * self.beta_2 + square * (1 - self.beta_2)

        return adaptive(parameters, update, state, self.learning_rate, self.tau, self.beta_1, second)
