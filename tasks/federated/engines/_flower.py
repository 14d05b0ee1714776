"""What both Flower engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.engine import Engine, Training

if TYPE_CHECKING:
    from tasks.federated.flower.fleet import Fleet
    from tasks.federated.local import Layout


class FlowerEngine(Engine):
    """Devices are trained by nodes of Flower, which hold their records, and hand over contributions."""

    timeout_seconds: float = Field(default=600.0, gt=0, le=86_400, description="How long the server waits for the nodes to join, and for a round's answers.")
    on_failure: Literal["complete", "fail"] = Field(
        default="fail",
        description="Where a device does not answer: fail ends the trial, which goes on from its checkpoint when it is run again; complete goes on "
        "without the device, logs it as not answered, and leaves the others' weights as they are.",
    )

    def over(self, training: Training, fleet: Fleet) -> Layout:
        """The layout that trains on a fleet."""
        from tasks.federated.flower.layout import FlowerLayout
        from tasks.federated.flower.node import Told

        federation = training.config.federation
        told = Told(model=training.config.model, client=federation.client, timeline=federation.timeline, labels=training.config.labels, seed=training.seed)
        return FlowerLayout(training.work, fleet, told.model_dump_json(), self.on_failure)
