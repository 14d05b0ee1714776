"""Server rules: what the server does with the weighted mean of updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]


class Server(Component, ABC):
    """Base of every server rule (Reddi et al., ICLR 2021, Algorithm 2). State is kept by name, so that it can be checkpointed."""

    learning_rate: float = Field(default=1.0, gt=0, le=1000, description="What the update is multiplied with.")

    @abstractmethod
    def apply(self, parameters: Mapping[str, Tensor], update: Mapping[str, Tensor], state: State) -> State:
        """Move the parameters in place along the update, the weighted sum of what devices changed (float64); returns the new state.

        ``state`` is empty in the first round; its names are the rule's own (``momentum/<parameter>``).
        """


SERVERS = Family("server", "tasks.federated.servers", Server)
