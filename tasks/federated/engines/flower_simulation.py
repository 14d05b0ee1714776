"""Devices as virtual nodes of Flower's simulation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.federated.engine import Training
from tasks.federated.engines._flower import FlowerEngine

if TYPE_CHECKING:
    from tasks.federated.local import Layout


class FlowerSimulation(FlowerEngine):
    """Flower's simulation (Beutel et al. 2020): virtual nodes in processes of Ray, which begin and end with the training.

    It needs ``assay[flower]``. A round costs time in proportion to the nodes that there are, asked or not, so a large population is served by fewer.
    """

    kind: Literal["flower-simulation"]
    nodes: int | None = Field(
        default=None, ge=1, le=100_000, description="Virtual nodes; node p serves the devices d with p = d mod nodes. Without it, one for each device."
    )
    actors: int = Field(default=2, ge=1, le=1024, description="Processes that nodes are run in, a core each; no number depends on it.")

    @contextmanager
    def opened(self, training: Training) -> Iterator[Layout]:
        """See Engine."""
        from tasks.federated.flower.simulation import simulated

        nodes = min(self.nodes or training.devices, training.devices)
        with simulated(training.inputs, nodes, self.actors, training.run.device, self.timeout_seconds) as fleet:
            yield self.over(training, fleet)
