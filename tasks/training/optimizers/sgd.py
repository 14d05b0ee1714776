"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"]
    learning_rate: float = Field(default=0.1, gt=0, le=1000, description="Step size at its highest.")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Classical momentum.")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty.")

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """torch.optim.SGD, in one pass over each tensor."""
        import torch

        return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay, fused=True)
