"""All devices in one process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.core.errors import UserError
from tasks.federated.engine import Engine, Training

if TYPE_CHECKING:
    from tasks.federated.local import Layout


class InProcess(Engine):
    """The cohort is trained in the step's own process: no server, no copy of the model per device of the population.

    ``stacked`` trains up to ``chunk`` devices at once, each with its own copy of the trained weights; ``sequential`` trains one
    after another in place. Which is faster depends on model and device: ``auto`` is measured once and resolved when a study is
    planned, so that the value that made a number stands in its key. For one layout, chunk and device results are equal bit for bit.
    """

    kind: Literal["in-process"]
    layout: Literal["auto", "stacked", "sequential"] = Field(default="auto", description="auto: the faster of the two, measured once per model and device.")
    chunk: int = Field(default=16, ge=1, le=4096, description="The most devices in a stack.")

    def opened(self, training: Training) -> AbstractContextManager[Layout]:
        """The layout. Raises UserError where it is not settled, or does not fit the network."""
        from tasks.federated.sequential import Sequential
        from tasks.federated.stacked import Stacked

        if self.layout == "sequential":
            return nullcontext(Sequential(training.work))
        if self.layout == "stacked":
            training.started.model.open_up(training.started.network)
            return nullcontext(Stacked(training.work, self.chunk))
        raise UserError("federation.engine.layout: 'auto' was not resolved before the training; write stacked or sequential")
