"""`infra/prefect.yaml` on the server: Prefect's own `deploy`, then what the file no longer has is taken away.

Run as ``python -m pipelines.services.deploying``; its last line says what came of it.
"""

from __future__ import annotations

import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from pipelines.services.state import COORDINATORS, TRIALS
from tasks.core.errors import UserError
from tasks.core.places import checkout, home

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

TAG = "assay"
"""Deployments with this tag are ours to take away."""


def prefect_file() -> Path:
    """The file of the deployments: of the home folder, else of this checkout. Raises UserError where there is none."""
    below = Path("infra") / "prefect.yaml"
    for root in (home(), checkout()):
        if (root / below).is_file():
            return root / below
    raise UserError(f"no {below} in {home()}: copy it there from the source of Assay")


def command() -> list[str]:
    """How to deploy, as a command."""
    return [sys.executable, "-m", "pipelines.services.deploying"]


def distribution() -> dict[str, str]:
    """A build step of `infra/prefect.yaml`: the version of this distribution, for its deployments."""
    return {"version": version("assay")}


def make_pools(api: str) -> None:
    """Make the two work pools where they are missing. Their first worker fills in how a process is started."""
    import httpx

    for name, says in ((COORDINATORS, "Studies: each run plans, hands out trials and compares"), (TRIALS, "Trials: a worker's limit is the GPU slot")):
        answer = httpx.post(f"{api}/work_pools/", json={"name": name, "type": "process", "description": says}, timeout=60)
        if answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()


def deploy() -> str:
    """Deploy everything and take away what is not declared; returns what was done. Raises UserError where a deployment is not there afterwards."""
    file = prefect_file()
    declared = _declared(file)
    with patch.object(sys, "argv", ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]):
        try:
            runpy.run_module("prefect", run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise UserError("prefect deploy failed") from None
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        removed = _take_away(client, declared)
    return f"{len(declared)} deployed" + (f", {removed} that the file no longer has removed" if removed else "")


def _declared(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The deployments of a file, by names of flow and deployment."""
    import yaml
    from prefect.flows import load_flow_from_entrypoint

    entries = (yaml.safe_load(file.read_text()) or {}).get("deployments") or []
    return {(load_flow_from_entrypoint(entry["entrypoint"]).name, entry["name"]): entry for entry in entries}


def _take_away(client: SyncPrefectClient, declared: dict[tuple[str, str], dict[str, Any]]) -> int:
    """Remove our deployments that are not declared, and schedules of declared ones; `prefect deploy` leaves both on the server."""
    flows = {flow.id: flow.name for flow in client.read_flows()}
    there = {(flows[each.flow_id], each.name): each for each in client.read_deployments()}
    missing = [f"{flow}/{name}" for flow, name in declared if (flow, name) not in there]
    if missing:
        raise UserError(f"prefect deploy left out {', '.join(missing)}")
    removed = 0
    for key, found in there.items():
        if key not in declared and TAG in found.tags:
            client.delete_deployment(found.id)
            removed += 1
        elif key in declared and not declared[key].get("schedules"):
            for schedule in found.schedules:
                client.delete_deployment_schedule(found.id, schedule.id)
                removed += 1
    return removed


if __name__ == "__main__":
    try:
        print(deploy())  # noqa: T201 - the supervisor reads it
    except UserError as error:
        sys.exit(str(error))
