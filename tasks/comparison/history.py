"""The nights of a retraining audit, as its comparison holds them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

LIFETIME, BUDGET = "privacy/epsilon_lifetime", "privacy/budget"
"""Numbers of a night beside those of its candidate."""


class NightLine(BaseModel):
    """One night: when, on what, what was decided and why, and its numbers by metric.

    ``version`` is the champion's after it; None where there is none. ``notes`` are what else must be known: that it began late, that the spec had changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    at: str
    snapshot: str
    decision: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    numbers: dict[str, float] = {}
    version: int | None = None
    mlflow_run: str = ""
