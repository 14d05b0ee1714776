"""A model that an earlier study recorded: by its run, or by a registered name and alias."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import model_validator

from tasks.core.component import unkeyed
from tasks.models.model import Model, ModelError, Started, TaskShape


class Mlflow(Model):
    """A recorded model artifact, trained on from its weights. The flow fixes which one; its bytes, not its name, enter the key."""

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq", "lm", "mlm")
    needs_base: ClassVar[bool] = True

    kind: Literal["mlflow"]
    run: str | None = unkeyed(default=None, description="Id of the run that logged the model.")
    name: str | None = unkeyed(default=None, description="Name of a registered model, with alias.")
    alias: str | None = unkeyed(default=None, description="Alias of the registered model, e.g. champion.")

    @model_validator(mode="after")
    def _one_way(self) -> Mlflow:
        by_name = self.name is not None and self.alias is not None
        if (self.run is not None) == by_name or (self.name is None) != (self.alias is None):
            raise ValueError("give either run, or name and alias")
        return self

    def start(self, shape: TaskShape, inputs: Mapping[str, Path], seed: int) -> Started:
        """The recorded network and encoder. Raises ModelError where its labels are not the data's."""
        from tasks.models.artifact import load_model

        loaded = load_model(inputs["base"], "cpu")
        if loaded.shape != shape:
            raise ModelError(
                f"the recorded model answers task '{loaded.shape.task}' with {len(loaded.shape.labels)} labels and {len(loaded.shape.slots)} slot tags; "
                f"the data has task '{shape.task}' with {len(shape.labels)} and {len(shape.slots)}, or others by name"
            )
        return Started(loaded.model, loaded.encoder, loaded.network)
