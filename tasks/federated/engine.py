"""Engines: where the devices of a cohort are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from tasks.core.step import StepRun
    from tasks.federated.local import Layout, Work
    from tasks.federated.steps import FederateConfig
    from tasks.models.model import Started


@dataclass(frozen=True)
class Training:
    """The training that an engine serves.

    Args:
        config: of the step.
        inputs: its input folders by name.
        seed: of the trial.
        run: where the step runs.
        devices: N, how many there are.
        started: the model as it was built.
        work: its network, and the training examples.
    """

    config: FederateConfig
    inputs: Mapping[str, Path]
    seed: int
    run: StepRun
    devices: int
    started: Started
    work: Work


class Engine(Component, ABC):
    """Base of every engine."""

    @abstractmethod
    def opened(self, training: Training) -> AbstractContextManager[Layout]:
        """How cohorts are trained, while it is open; what it started has ended when it closes. Raises UserError."""


ENGINES = Family("engine", "tasks.federated.engines", Engine)
