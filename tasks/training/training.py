"""How long and how to train."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.component import OneOf
from tasks.training.augmentation import Augmentation
from tasks.training.optimizer import OPTIMIZERS, Optimizer
from tasks.training.pairing import Pairing


class EarlyStopping(BaseModel):
    """Stop when the validation split has not improved for a while, and keep the best weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Literal["loss", "accuracy"] = Field(default="loss", description="What must improve on the validation split.")
    patience: int = Field(default=3, ge=1, le=1000, description="Epochs without improvement before stopping.")
    min_delta: float = Field(default=0.0, ge=0, description="Smallest change that counts as improvement.")


class Schedule(BaseModel):
    """The learning rate over the training: a linear rise, then constant, linear to zero or half a cosine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant", "linear", "cosine"] = Field(default="constant", description="Shape after the rise.")
    warmup: float = Field(default=0.0, ge=0, lt=1, description="Share of all steps over which the rate rises from zero.")

    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied with at a step (from 0) of all steps."""
        import math

        rise = self.warmup * steps
        if step < rise:
            return (step + 1) / (rise + 1)
        share = (step - rise) / max(1.0, steps - rise)
        if self.kind == "linear":
            return 1.0 - share
        return 0.5 * (1 + math.cos(math.pi * share)) if self.kind == "cosine" else 1.0


def _default_optimizer() -> Optimizer:
    found = OPTIMIZERS.parse({"kind": "adamw"})
    assert isinstance(found, Optimizer)
    return found


class Training(BaseModel):
    """The training block of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    epochs: float = Field(default=10, gt=0, le=10_000, description="Passes over the training records; may be a part of one.")
    expected_batch_size: int = Field(default=64, ge=1, le=1_000_000, description="Examples per step; under privacy, expected ones.")
    optimizer: Annotated[Optimizer, OneOf(OPTIMIZERS)] = Field(default_factory=_default_optimizer, description="adamw, sgd.")
    schedule: Schedule = Field(default=Schedule(), description="Learning rate over time.")
    mask_rate: float = Field(default=0.15, gt=0, lt=1, description="Task mlm: share of tokens that are hidden and guessed.")
    max_gradient_norm: float | None = Field(default=None, gt=0, description="Scale the whole gradient down to this norm; no privacy.")
    precision: Literal["auto", "fp32", "bf16"] = Field(default="auto", description="auto: bf16 where the device gains from it.")
    activation_checkpointing: bool = Field(default=False, description="Run the blocks of a transformer again in the backward pass: less memory, more time.")
    early_stopping: EarlyStopping | None = Field(default=None, description="Needs a validation split.")
    augmentation: Augmentation | None = Field(default=None, description="Learn on role reversals of the texts too, or in their place; tasks intent, lm, mlm.")
    pairing: Pairing | None = Field(default=None, description="Task intent: make the answers to a text and to its role reversal alike; no privacy.")
