"""The step that checks the mechanism of a private federation as it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field

from tasks.core.step import Step, StepConfig, StepRun
from tasks.federated.steps import FederateConfig


class CheckFederationConfig(StepConfig):
    """Which federation, and how many of its rounds are looked at."""

    trial: FederateConfig
    rounds: int = Field(ge=1)

    @classmethod
    def of(cls, trial: FederateConfig, rounds: int) -> Self:
        """Of a trial's own config. Its draws follow from the seed even where the trial's are secret: no secret key is drawn, used or known to the check."""
        return cls(trial=trial.model_copy(update={"randomness": "reproducible", "submission": None}), rounds=rounds)


def check_federation(config: CheckFederationConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Begin the federation on the prepared ``data`` as the ``population`` holds it, look at some rounds and write what was found; nothing is learnt."""
    from tasks.federated.checking import write_check

    write_check(config.trial, config.rounds, inputs, seed, run)


CHECK_FEDERATION = Step("check-federation", check_federation, CheckFederationConfig)
"""It has no charge, as that of a training has none, and writes the same facts."""
