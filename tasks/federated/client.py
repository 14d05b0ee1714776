"""Local training: what a device does with the model that it was sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.component import OneOf
from tasks.training.augmentation import Augmentation
from tasks.training.optimizer import OPTIMIZERS, Optimizer


def _default_optimizer() -> Optimizer:
    found = OPTIMIZERS.parse({"kind": "sgd"})
    assert isinstance(found, Optimizer)
    return found


class Client(BaseModel):
    """The client block. A device keeps nothing between rounds: its optimizer begins anew each time it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=1, ge=1, le=1000, description="Passes over what the device holds, each in an order of its own.")
    batch_size: int = Field(default=16, ge=1, le=1_000_000, description="Examples per local step.")
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many local steps in a round, however much a device holds.")
    optimizer: Annotated[Optimizer, OneOf(OPTIMIZERS)] = Field(default_factory=_default_optimizer, description="sgd, adamw.")
    proximal: float = Field(default=0.0, ge=0, description="FedProx (Li et al., MLSys 2020): strength of the pull towards the model that was sent.")
    freeze: tuple[str, ...] = Field(
        default=(), description="Weights that stay as they are and are not sent: names or beginnings of names, e.g. body.transformer.wte."
    )
    augmentation: Augmentation | None = Field(
        default=None, description="Devices learn on role reversals of their texts too, or in their place; tasks intent, lm, mlm."
    )

    def steps(self, examples: int) -> int:
        """Local steps of a device with so many examples."""
        steps = self.epochs * -(-examples // self.batch_size)
        return steps if self.max_steps is None else min(steps, self.max_steps)
