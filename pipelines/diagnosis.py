"""What `assay doctor` looks at, in the order in which a person would mend."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.checks import folders, machine, servers
from pipelines.checks.finding import Finding
from tasks.core.errors import UserError

CHECKS = (
    machine.python,
    machine.packages,
    machine.devices,
    folders.home_folder,
    folders.store,
    servers.postgres,
    folders.records,
    folders.data,
    folders.permissions,
    machine.disk,
    servers.services,
    servers.prefect,
    servers.mlflow,
    servers.free_ports,
    machine.telemetry,
    machine.hub,
)


def diagnose() -> Iterator[Finding]:
    """Every check; one that meets an error that a person can mend says so and keeps none of the others from being made."""
    for check in CHECKS:
        try:
            yield check()
        except UserError as error:
            yield Finding(check.__name__.replace("_", " "), False, str(error), "mend what the message names")
