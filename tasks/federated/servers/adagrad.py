"""FedAdagrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.server import Server, State

if TYPE_CHECKING:
    from torch import Tensor


class Adagrad(Server):
    """FedAdagrad (Reddi et al., ICLR 2021, Algorithm 2, beta_1 = 0): v = v + update^2, from tau^2 on; steps get shorter and shorter.

    State ``square/<parameter>``, float64.
    """

    kind: Literal["adagrad"]
    learning_rate: float = Field(default=0.1, gt=0, le=1000, description="About how far a parameter moves in the first round.")
    tau: float = Field(default=1e-3, gt=0, le=1000, description="How little it adapts: updates far below this are multiplied by learning_rate / tau.")

    def apply(self, parameters: Mapping[str, Tensor], update: Mapping[str, Tensor], state: State) -> State:
        """One step; no square is forgotten."""
        from tasks.federated.servers._steps import adaptive

        return adaptive(parameters, update, state, self.learning_rate, self.tau, 0.0, lambda before, square: before + square)
