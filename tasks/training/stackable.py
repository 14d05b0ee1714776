"""What can be trained as a stack: decided from the config alone, before anything is keyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.models.model import LOADED

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig


def why_not_stacked(config: TrainConfig) -> str | None:
    """Why models of a config are trained one after another, in a few words; None where they can be trained at once."""
    training = config.training
    reasons = {
        f"privacy {config.privacy.kind} clips examples and draws noise model by model": config.privacy.kind != "none",
        "a search trains each model several times": config.search is not None,
        "secret randomness belongs to one training": config.randomness == "secret",
        f"model {config.model.kind} begins from published or recorded weights": config.model.kind in LOADED or type(config.model).needs_base,
        "early stopping ends each model when its own validation says so": training.early_stopping is not None,
        "augmentation makes the examples of each model anew": training.augmentation is not None,
        "pairing needs two passes": training.pairing is not None,
        "activation checkpointing runs blocks again, which torch.func cannot": training.activation_checkpointing,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
