"""Evaluation while devices train: how often, on what, and the target that rounds are counted to."""

from __future__ import annotations

from abc import ABC

from pydantic import Field

from tasks.core.component import Component, Family


class Evaluation(Component, ABC):
    """Base of every evaluation. What is scored is the study's first utility metric."""

    every: int = Field(default=10, ge=1, description="Rounds between two checks; the last round of a window is always checked.")
    records: int = Field(default=2000, ge=30, description="The most test records of a window that a check scores; the final measures use all.")
    target: float | None = Field(default=None, description="Score to reach: rounds and uploads are counted to it.")


EVALUATIONS = Family("evaluation", "tasks.federated.evaluations", Evaluation)
