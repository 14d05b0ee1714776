"""Runs whose process is gone without a word, as after kill -9 of their worker: they are scheduled again and go on from what is finished.

Where one study's coordinator and trials are lost together, both come back: the coordinator waits for the trials that it finds under way.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.services.state import COORDINATORS, TRIALS

LOOK_SECONDS = 10.0
PENDING_SECONDS = 60.0
"""A run without a process is being started, unless it has been for this long."""
MOST_STARTS = 5
"""A run that is lost after so many starts is left as crashed: it may be what ends its process."""
LISTED = 200


class Healer:
    """Looks for lost runs every ten seconds. One look may meet a run in the moment in which it ends, so two must agree.

    Args:
        api: the Prefect server's API.
    """

    def __init__(self, api: str) -> None:
        self._api = api
        self._suspected: set[str] = set()
        self._next_look = 0.0

    def heal(self, everything: bool = False) -> int:
        """Schedule lost runs again; returns how many.

        Args:
            everything: look now and believe what is seen, for no worker is there, before the first is started or after the last was ended.
        """
        import httpx

        if not everything and time.monotonic() < self._next_look:
            return 0
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            with httpx.Client(base_url=self._api, timeout=LOOK_SECONDS) as client:
                gone = [run for run in _unfinished(client) if lost(run, everything)]
                sure = [run for run in gone if everything or run["id"] in self._suspected]
                self._suspected = {run["id"] for run in gone if run not in sure}
                for run in sure:
                    client.post(f"/flow_runs/{run['id']}/set_state", json={"state": next_state(run, blamed=not everything), "force": True}).raise_for_status()
        except httpx.HTTPError:
            return 0  # the server is away; it will be asked again
        return len(sure)


def lost(run: Mapping[str, Any], everything: bool) -> bool:
    """Whether the process that a run had is no more."""
    if run["infrastructure_pid"]:
        return not _is_run(int(run["infrastructure_pid"]))
    waited = datetime.now(UTC) - datetime.fromisoformat(run["state"]["timestamp"])
    return everything or waited.total_seconds() > PENDING_SECONDS


def next_state(run: Mapping[str, Any], blamed: bool) -> dict[str, Any]:
    """What becomes of a lost run: cancelled where that was asked, crashed where it was lost too often and may be to blame, else scheduled again."""
    if run["state"]["type"] == "CANCELLING":
        return {"type": "CANCELLED", "name": "Cancelled", "message": "its process was gone"}
    if blamed and run["run_count"] >= MOST_STARTS:
        return {"type": "CRASHED", "name": "Crashed", "message": f"its process was lost after {run['run_count']} starts"}
    details = {"scheduled_time": datetime.now(UTC).isoformat()}
    return {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "its process has ended; it goes on from what is finished", "state_details": details}


def _unfinished(client: Any) -> list[dict[str, Any]]:
    wanted = {
        "work_pools": {"name": {"any_": [COORDINATORS, TRIALS]}},
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
        "limit": LISTED,
    }
    answer = client.post("/flow_runs/filter", json=wanted)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def _is_run(pid: int) -> bool:
    """Whether a process is there and is one of Prefect's: the number alone may be another's by now."""
    import psutil

    try:
        return any("prefect" in argument for argument in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
