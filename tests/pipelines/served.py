"""Helpers of the tests on a running `assay up`: studies submitted to its server, watched, and what became of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.pipelines.faults import CHECKOUT, Home, wait_for
from tests.services.postgres import free_port

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PATIENCE = 600.0


@dataclass
class Served:
    """The services of a home, and ways to use and to hurt them."""

    home: Home
    state: dict[str, Any]

    @property
    def api(self) -> str:
        return f"{self.state['prefect_page']}/api"

    def post(self, path: str, values: Mapping[str, Any]) -> Any:
        return self._asked("POST", path, json=values)

    def get(self, path: str) -> Any:
        return self._asked("GET", path)

    def _asked(self, method: str, path: str, **content: Any) -> Any:
        """The server's answer. 503 is asked again, as Prefect's own client does: SQLite was locked, and nothing was written."""
        for _ in range(5):
            answer = httpx.request(method, f"{self.api}/{path}", timeout=90, **content)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(2)
        answer.raise_for_status()
        return answer.json()

    def submit(self, study: object, **parameters: object) -> str:
        """A flow run of dp-training/default; returns its id."""
        deployment = self.get("deployments/name/dp-training/default")["id"]
        return str(self.post(f"deployments/{deployment}/create_flow_run", {"parameters": {"study": study, **parameters}})["id"])

    def prefect(self, *arguments: str, timeout: float = PATIENCE) -> str:
        """Prefect's own command; what it printed."""
        environment = {**self.home.environment(), "PREFECT_API_URL": self.api, "COLUMNS": "400"}
        command = [sys.executable, "-m", "prefect", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
        return done.stdout + done.stderr

    def flow_run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"flow_runs/{run}")
        return found

    def ended(self, run: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The final state of a flow run."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                state: dict[str, Any] = self.flow_run(run)["state"]
            except httpx.HTTPError:
                state = {"type": "UNKNOWN"}
            if state["type"] in FINAL:
                return state
            time.sleep(0.5)
        raise AssertionError(f"flow run {run} did not end: {state}")

    def trials(self) -> list[dict[str, Any]]:
        """The flow runs of trials."""
        deployment = self.get("deployments/name/dp-training/trial")["id"]
        found: list[dict[str, Any]] = self.post("flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}, "limit": 200})
        return found

    def artifacts(self, run: str) -> dict[str, dict[str, Any]]:
        """The artifacts of a flow run by key."""
        found = self.post("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}, "limit": 100})
        return {str(artifact["key"]): artifact for artifact in found}

    def client(self) -> MlflowClient:
        uri = self.home.extra.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.home.folder}/mlruns/mlflow.db"
        return MlflowClient(tracking_uri=uri)

    def runs(self, study: str) -> list[Run]:
        """Every MLflow run of a study."""
        client = self.client()
        experiment = client.get_experiment_by_name(study)
        return [] if experiment is None else list(client.search_runs([experiment.experiment_id], max_results=1000))

    def statuses(self, study: str) -> list[str]:
        return sorted(str(run.info.status) for run in self.runs(study))

    def comparison(self, study: str) -> dict[str, Any]:
        code, out, err = self.home.run("compare", study, "--json")
        assert code == 0, err
        values: dict[str, Any] = json.loads(out)
        return values

    def pid(self, name: str) -> int:
        """The process of a service, as the state file has it."""
        services = {service["name"]: service for service in read_state(self.home)["services"]}
        return int(services[name]["pid"])

    def kill_service(self, name: str) -> None:
        """Kill -9 of a service's own process, not of what keeps it."""
        keeper = psutil.Process(self.pid(name))
        for child in keeper.children() or [keeper]:
            child.send_signal(signal.SIGKILL)

    def processes(self, words: str) -> list[psutil.Process]:
        """The processes of this home whose command line holds some words."""
        found = []
        for process in psutil.process_iter():
            try:
                if words in " ".join(process.cmdline()) and process.environ().get("ASSAY_HOME") == str(self.home.folder):
                    found.append(process)
            except psutil.Error:
                continue
        return found


def read_state(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.folder / "mlruns" / "up" / "state.json").read_text())
    return found


@contextmanager
def served(home: Home, *options: str) -> Iterator[Served]:
    """`assay up` on free ports; ended afterwards."""
    ports = ("--prefect-port", str(free_port()), "--mlflow-port", str(free_port()))
    code, out, err = home.run("up", "--detach", *ports, *options, timeout=240)
    try:
        assert code == 0, f"{out}\n{err}"
        yield Served(home, read_state(home))
    finally:
        home.run("up", "--stop", timeout=120)


def training(home: Home) -> bool:
    """Whether some training has said how far it is."""
    return any((home.folder / "mlruns" / "store" / "unfinished").glob("*/metrics.jsonl"))


def begun(home: Home, timeout: float = 120) -> None:
    assert wait_for(lambda: training(home), timeout), "no training began"


def write_study(folder: Path, name: str, text: str) -> str:
    """A study below the home's specs; the path that is submitted."""
    path = folder / "specs" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return f"specs/{name}.yaml"


def is_alive(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
