"""AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

    kind: Literal["adamw"]
    learning_rate: float = Field(default=0.002, gt=0, le=1000, description="Step size at its highest.")
    beta_1: float = Field(default=0.9, ge=0, lt=1, description="Decay of the mean of gradients.")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="Decay of the mean of their squares.")
    weight_decay: float = Field(default=0.01, ge=0, description="Decoupled weight decay.")

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """torch.optim.AdamW, in one pass over each tensor."""
        import torch

        betas = (self.beta_1, self.beta_2)
        return torch.optim.AdamW(parameters, lr=self.learning_rate, betas=betas, weight_decay=self.weight_decay, fused=True)
