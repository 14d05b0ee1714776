"""Optimizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import torch


class Optimizer(Component, ABC):
    """Base of every optimizer block."""

    learning_rate: float = Field(gt=0, le=1000, description="Step size at its highest.")

    @abstractmethod
    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of some parameters."""


OPTIMIZERS = Family("optimizer", "tasks.training.optimizers", Optimizer)
