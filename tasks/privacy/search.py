"""Search by random stopping: many settings are tried, the best is released, and the choice is paid for."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from tasks.privacy.mechanism import Repetition

FREE = ("training.optimizer", "training.schedule", "privacy.clipping.rule", "model.dropout")
"""What a search may vary: nothing that a release's noise, rate or count follows from."""


class Search(BaseModel):
    """A random number of trainings, each with settings drawn anew from a grid; the best by a score is released, the others never seen.

    Papernot and Steinke (ICLR 2022): with the number drawn from a truncated negative binomial law (shape 1 geometric, 0
    logarithmic) the whole costs little more than one training. The score is of the validation split, whose people it does not protect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    kind: Literal["random-stopping"]
    over: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Dotted path to the values tried, each combination as likely, e.g. training.optimizer.learning_rate: [0.001, 0.01]."
    )
    mean_trials: float = Field(default=10.0, gt=1, le=1000, description="Expected number of trainings.")
    law: Literal["geometric", "logarithmic"] = Field(default="geometric", description="Law of their number.")
    metric: Literal["accuracy", "loss"] = Field(default="accuracy", description="Score on the validation split.")

    @field_validator("over")
    @classmethod
    def _spends_alike(cls, over: dict[str, tuple[JsonValue, ...]]) -> dict[str, tuple[JsonValue, ...]]:
        for path in over:
            if not any(path == free or path.startswith(f"{free}.") for free in FREE):
                raise ValueError(f"'{path}' cannot be searched: every training must spend the same, so only {', '.join(FREE)} may vary")
        return over

    @property
    def repetition(self) -> Repetition:
        """The law in the words of accountants."""
        return Repetition(self.mean_trials, 1.0 if self.law == "geometric" else 0.0)

    def count(self, key: int) -> int:
        """How many trainings this key gives. Secret where the key is."""
        from tasks.core.seeds import numpy_generator

        generator = numpy_generator(key, "search-count")
        if self.law == "geometric":
            return int(generator.geometric(1 / self.mean_trials))
        return int(generator.logseries(1 - _gamma(self.mean_trials)))

    def draw(self, key: int, index: int) -> dict[str, JsonValue]:
        """The settings of one training: a value per path, drawn with replacement."""
        from tasks.core.seeds import numpy_generator

        generator = numpy_generator(key, "search-settings", index)
        return {path: values[int(generator.integers(len(values)))] for path, values in sorted(self.over.items())}

    @staticmethod
    def applied(values: Mapping[str, Any], settings: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Plain values of a study, or of a training, with some dotted paths set."""
        changed: dict[str, Any] = copy.deepcopy(dict(values))
        for path, value in settings.items():
            *blocks, last = path.split(".")
            block = changed
            for name in blocks:
                block = block[name]
            block[last] = value
        return changed


@cache
def _gamma(mean: float) -> float:
    """The parameter of the logarithmic law with a mean: (1/g - 1) / ln(1/g)."""
    low, high = 1e-12, 1 - 1e-12
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if (1 / middle - 1) / math.log(1 / middle) < mean else (middle, high)
    return math.sqrt(low * high)
