"""The federation block: who is asked, what devices do, how updates are put together, and when which data is there."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.core.component import Family, OneOf, member_field
from tasks.federated.availability import AVAILABILITIES, Availability
from tasks.federated.client import Client
from tasks.federated.correction import CORRECTIONS, Correction
from tasks.federated.engine import ENGINES, Engine
from tasks.federated.secure_aggregation import SecureAggregation
from tasks.federated.selection import SELECTIONS, Selection
from tasks.federated.server import SERVERS, Server
from tasks.federated.stragglers import Stragglers
from tasks.federated.timeline import TIMELINES, Timeline


def _default(family: Family, kind: str) -> Any:
    return member_field(family, kind, f"{family.name}: {kind} where none is given.")


class Federation(BaseModel):
    """How a model is trained across devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Annotated[Engine, OneOf(ENGINES)] = _default(ENGINES, "in-process")
    rounds: int = Field(default=100, ge=0, le=1_000_000, description="Rounds of selection, local training and aggregation; 0: the model before any training.")
    cohort_size: int = Field(default=50, ge=1, le=1_000_000, description="Devices per round; for designs of random size, expected ones.")
    selection: Annotated[Selection, OneOf(SELECTIONS)] = _default(SELECTIONS, "uniform")
    separation: int = Field(default=1, ge=1, le=1_000_000, description="Least number of rounds between two takings part of a device; 1: no bound.")
    correction: Annotated[Correction, OneOf(CORRECTIONS)] = _default(CORRECTIONS, "none")
    availability: Annotated[Availability, OneOf(AVAILABILITIES)] = _default(AVAILABILITIES, "always")
    stragglers: Stragglers = Field(default_factory=Stragglers, description="Over-selection, deadline and speeds of devices.")
    client: Client = Field(default_factory=Client, description="Local training.")
    secure_aggregation: SecureAggregation | None = Field(default=None, description="The server sees the cohort's sum alone; absent: it sees every update.")
    server: Annotated[Server, OneOf(SERVERS)] = _default(SERVERS, "sgd")
    timeline: Annotated[Timeline, OneOf(TIMELINES)] = _default(TIMELINES, "static")

    def largest_rate(self, public_size: int) -> float:
        """The largest probability with which any admissible device takes part in a round: that of the largest activity that counts; 1 where nothing
        bounds it.
        """
        import numpy as np

        largest = self.selection.largest_activity
        rates = None if largest is None else self.selection.public_rates(np.array([largest]), self.cohort_size, public_size)
        return 1.0 if rates is None else float(rates[0])

    def is_checked(self, done: int, every: int) -> bool:
        """Whether the model is scored after so many rounds."""
        last = done == self.rounds or self.timeline.window_of_round(done, self.rounds) != self.timeline.window_of_round(done - 1, self.rounds)
        return last or done % every == 0

    @model_validator(mode="after")
    def _rounds_for_windows(self) -> Federation:
        if self.timeline.window_count > max(1, self.rounds):
            raise ValueError(f"timeline: {self.timeline.window_count} windows need at least as many rounds (got {self.rounds})")
        return self
