"""A trained body with new answer layers: how a model that was trained for one task is fine-tuned for another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import nn

from tasks.core.seeds import torch_seeded
from tasks.models.amending import erase
from tasks.models.artifact import load_model
from tasks.models.model import Model, ModelError, Started, TaskShape


class Continued(Model):
    """The model artifact ``base``, its body kept, its answers new unless it answers the same task with the same labels already."""

    kind: Literal["continued"]
    frozen: bool = False
    """Whether only the answers are trained."""

    def start(self, shape: TaskShape, inputs: Mapping[str, Path], seed: int) -> Started:
        """The network to fine-tune. Raises ModelError where the base has no answers for the task."""
        started = self._started(shape, inputs, seed)
        if self.frozen:
            body(started.network).requires_grad_(False)
        return started

    def _started(self, shape: TaskShape, inputs: Mapping[str, Path], seed: int) -> Started:
        loaded = load_model(inputs["base"], "cpu")
        if loaded.shape == shape:
            return Started(loaded.model, loaded.encoder, loaded.network)
        model = loaded.model.with_new_answers()
        if shape.task not in model.tasks:
            raise ModelError(f"a model of kind '{model.kind}' does not serve task '{shape.task}'; it serves {', '.join(model.tasks)}")
        with torch_seeded(seed, "initialise"):
            network = model.rebuild(shape, loaded.encoder, inputs["base"], seed)
        if (eraser := getattr(loaded.network, "eraser", None)) is not None:
            erase(network, eraser.matrix, eraser.shift)
        lacking = body(network).load_state_dict(body(loaded.network).state_dict(), strict=False).missing_keys
        if any(not name.startswith("pooler.") for name in lacking):  # a pooler is made by some libraries' bodies, and nothing reads it
            raise ModelError(f"the body of this '{model.kind}' cannot be carried over from task '{loaded.shape.task}' to '{shape.task}'")
        return Started(model, loaded.encoder, network)


def body(network: nn.Module) -> nn.Module:
    """The part of a network below its answers. Raises ModelError for a bag of words, which has none."""
    found: Any = getattr(network, "body", None)
    if found is not None:  # below the heads of the library's own language models
        return found.base_model if hasattr(found, "base_model") else found  # type: ignore[no-any-return]
    if not hasattr(network, "states"):
        raise ModelError("a linear model has no body to keep: it is trained for each task anew")
    parts = {name: getattr(network, name, None) for name in ("embedding", "characters", "layers")}
    return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})
