"""The step that checks the mechanism of a private training as it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field

from tasks.core.step import Step, StepConfig, StepRun
from tasks.training.steps import TrainConfig

FACTS = "mechanism.json"
OF_RECORD = ("unit", "adjacency", "sampler", "rate", "steps", "divisor", "delta", "epsilon", "noise_multiplier", "clipping", "sensitivity", "participation")
"""What the check's account and the record of the trained model (``privacy.json``) must both say, where one does."""


class CheckConfig(StepConfig):
    """Which training, and how many of its steps are looked at."""

    trial: TrainConfig
    steps: int = Field(ge=1)

    @classmethod
    def of(cls, trial: TrainConfig, steps: int) -> Self:
        """Of a trial's own config. Its draws follow from the seed even where the trial's are secret: no secret key is drawn, used or known to the check."""
        return cls(trial=trial.model_copy(update={"randomness": "reproducible", "submission": None}), steps=steps)


def check_mechanism(config: CheckConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Begin the training on the prepared ``data``, look at some steps and write what was found; nothing is learnt."""
    from tasks.training.checking import write_check

    write_check(config.trial, config.steps, inputs, seed, run)


CHECK_MECHANISM = Step("check-mechanism", check_mechanism, CheckConfig)
"""It has no charge: no weight is changed, and no update leaves it. What it writes are results of tests and lengths over what is allowed, which stand
outside epsilon as every number does that is measured on members."""
