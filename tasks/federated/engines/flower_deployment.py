"""Devices on Flower's SuperNodes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tasks.core.component import unkeyed
from tasks.core.errors import UserError
from tasks.core.roots import named_file
from tasks.federated.engine import Training
from tasks.federated.engines._flower import FlowerEngine

if TYPE_CHECKING:
    from tasks.federated.flower.fleet import Fleet
    from tasks.federated.local import Layout

SECRET = "ASSAY_SUPEREXEC_SECRET_FILE"  # noqa: S105 - the name of a variable that names a file
"""The environment's name for the file with the SuperLink's SuperExec secret."""


class FlowerDeployment(FlowerEngine):
    """Devices live on SuperNodes, reached through a SuperLink over TLS.

    Without an ``address`` both run on loopback for as long as the training. A SuperNode runs a process for each message, of seconds, so it gets one
    message a round, for all its devices in the cohort. ``infra/flower.md`` says how a team runs it.
    """

    kind: Literal["flower-deployment"]
    nodes: int = Field(default=2, ge=1, le=10_000, description="SuperNodes; node p serves the devices d with p = d mod nodes.")
    address: str | None = unkeyed(default=None, pattern=r"^[^\s:/]+:\d{1,5}$", description="host:port of a SuperLink to join; without it, one on loopback.")
    root_certificates: Path | None = unkeyed(default=None, description="PEM file that the joined SuperLink's certificate is checked with.")

    @field_validator("root_certificates", mode="after")
    @classmethod
    def _readable(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        """Of a study that comes through a server, in a folder that it may read; a trained model needs it no more."""
        return value if value is None or (info.context or {}).get("saved") else named_file(value, info)

    @model_validator(mode="after")
    def _joins(self) -> FlowerDeployment:
        if (self.address is None) != (self.root_certificates is None):
            raise ValueError("address and root_certificates belong together: a SuperLink is joined over TLS, and one on loopback makes its own certificates")
        return self

    @contextmanager
    def opened(self, training: Training) -> Iterator[Layout]:
        """See Engine."""
        with self.fleet(training.devices, training.inputs, training.run.checkpoint / "flower", training.run.device) as fleet:
            yield self.over(training, fleet)

    def fleet(self, devices: int, inputs: Mapping[str, Path], folder: Path, device: str) -> AbstractContextManager[Fleet]:
        """The nodes: those of the SuperLink that is named, else of one on loopback, which works in a folder. Raises UserError."""
        from tasks.federated.flower.deployment import deployed, joined
        from tasks.federated.flower.superlink import SuperLink

        if self.address is None or self.root_certificates is None:
            return deployed(folder, inputs, min(self.nodes, devices), device, self.timeout_seconds)
        named = os.environ.get(SECRET)
        try:
            secret, authority = Path(named).read_bytes() if named else None, self.root_certificates.read_bytes()
        except OSError as error:
            raise UserError(f"federation.engine: {error.filename} cannot be read ({error.strerror})") from error
        return joined(SuperLink(self.address, authority, secret), self.nodes, self.timeout_seconds)
