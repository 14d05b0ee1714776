"""What `assay up` runs: each service's command, environment, address and what makes it healthy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from pipelines.embedded import prefect_home
from pipelines.running import ONE_THREAD
from pipelines.running import QUIET as QUIET_LIBRARIES
from pipelines.services.health import mlflow_health, prefect_health, problem, worker_online
from pipelines.services.ports import LOOPBACK
from pipelines.services.state import COORDINATORS, TRIALS
from tasks.core.places import data_folder, home, prefect_database_url, store_url, tracking_uri

QUIET_SERVERS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_COLORS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_ASSISTANT_SANDBOX": "false",  # its check would ask for Docker
    "PYTHONUNBUFFERED": "1",
}
ASK_TIMEOUT = 1.0
"""Seconds to wait for a sign of health: the supervisor has others to look after."""
QUERY_SECONDS = "2"
"""How often a worker asks for runs: a study of many short trials would wait for the default of ten."""


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    prefect_port: int = 4200
    mlflow_port: int = 5000
    coordinators: int = 4
    trials: int = 1
    trial_workers: int = 1

    @property
    def prefect_page(self) -> str:
        """Address of Prefect's page."""
        return f"http://{LOOPBACK}:{self.prefect_port}"

    @property
    def prefect_api(self) -> str:
        """Address of Prefect's API."""
        return f"{self.prefect_page}/api"

    @property
    def mlflow_page(self) -> str:
        """Address of MLflow's page: the user's own server where the records lie in one."""
        return own_tracker() or f"http://{LOOPBACK}:{self.mlflow_port}"

    @property
    def ports(self) -> dict[str, int]:
        """The ports to listen on, by the option that chooses them."""
        ours = {"--prefect-port": self.prefect_port}
        return ours if own_tracker() else {**ours, "--mlflow-port": self.mlflow_port}


@dataclass(frozen=True)
class Wanted:
    """A service to run. Passwords travel in ``environment``, never in ``command``, which every user of the machine can read.

    ``held_port`` is a port on which the supervisor listens for the service, which gets the socket; ``grace`` is seconds to end in.
    """

    name: str
    command: list[str]
    address: str
    healthy: Callable[[datetime], bool]
    environment: dict[str, str] = field(default_factory=dict)
    held_port: int | None = None
    grace: float = 10.0


def own_tracker() -> str | None:
    """The MLflow server that the user named as the place of the records; None where they lie in a database."""
    uri = tracking_uri()
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None


def servers(options: Options) -> list[Wanted]:
    """The two web servers, on loopback."""
    return [_prefect(options)] if own_tracker() else [_mlflow(options), _prefect(options)]


def workers(options: Options) -> list[Wanted]:
    """One worker that coordinates studies, and those that run trials."""
    trials = [_worker(options, TRIALS, number, options.trials) for number in range(1, options.trial_workers + 1)]
    return [_worker(options, COORDINATORS, 1, options.coordinators), *trials]


def environment(options: Options) -> dict[str, str]:
    """What every service and every run below a worker finds: absolute places, this server, one thread, nothing that calls home."""
    store = store_url()
    places = {
        "ASSAY_HOME": str(home()),
        "ASSAY_DATA": str(data_folder()),
        "ASSAY_STORE": store if "://" in store else str(Path(store).absolute()),
        "PREFECT_API_URL": options.prefect_api,
        "PREFECT_UI_URL": options.prefect_page,
        "PREFECT_HOME": str(prefect_home()),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect_home() / "storage"),
        "PREFECT_WORKER_QUERY_SECONDS": QUERY_SECONDS,
    }
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    if named.startswith("sqlite:///"):
        places["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path(named.removeprefix('sqlite:///')).absolute()}"
    chosen = {**dict.fromkeys(ONE_THREAD, "1"), **QUIET_LIBRARIES, **QUIET_SERVERS}
    return {**os.environ, **chosen, **places}


def _prefect(options: Options) -> Wanted:
    url = prefect_database_url()
    settings = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": url,
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",  # so that `prefect deployment run --watch` shows what a run says
        "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
        "PREFECT_UI_API_URL": "/api",  # relative, so that the page also works through a forwarded port
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{options.prefect_page},http://localhost:{options.prefect_port}",  # else any web page may call the API
    }
    if url.startswith("sqlite"):
        settings["PREFECT_LOGGING_ROOT_LEVEL"] = "CRITICAL"  # its task queue logs a page for each lock that SQLite makes it try again
    return Wanted(
        "Prefect server",
        _python("pipelines.services.prefect_server"),
        options.prefect_page,
        lambda since: problem(prefect_health(options.prefect_api), ASK_TIMEOUT) is None,
        settings,
        options.prefect_port,
    )


def _mlflow(options: Options) -> Wanted:
    arguments = ("--host", LOOPBACK, "--port", str(options.mlflow_port), "--workers", "1", "--uvicorn-opts", "--log-level warning")
    places = {
        "MLFLOW_BACKEND_STORE_URI": environment(options).get("MLFLOW_TRACKING_URI") or tracking_uri(),
        "MLFLOW_ARTIFACTS_DESTINATION": str(home() / "mlruns" / "artifacts"),
    }
    return Wanted(
        "MLflow server",
        _python("mlflow", "server", *arguments),
        options.mlflow_page,
        lambda since: problem(mlflow_health(options.mlflow_page), ASK_TIMEOUT) is None,
        places,
    )


def _worker(options: Options, pool: str, number: int, limit: int) -> Wanted:
    name = f"{pool}-{number}"
    command = _python("prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", name, "--limit", str(limit), "--install-policy", "never")
    return Wanted(name, command, f"pool {pool}, {limit} at once", partial(worker_online, options.prefect_api, pool, name), grace=20.0)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
