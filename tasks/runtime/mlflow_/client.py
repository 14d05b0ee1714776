"""The MLflow client that everything here speaks through: an explicit store and explicit run ids, never the fluent API."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.core.errors import UserError
from tasks.core.places import home, shown_uri, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

CONNECT_SECONDS = 10.0
OUTAGE_SECONDS, OUTAGE_PAUSE = 600.0, 2.0
KIND = {"mlflow.experimentKind": "custom_model_development"}  # the web page then shows runs and charts first
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def open_client() -> MlflowClient:
    """A client on the configured store. A fresh SQLite store is made under a lock: two migrations at once collide."""
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    import logging

    import filelock
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)

    uri = tracking_uri()
    try:
        if not uri.startswith("sqlite:///"):
            _reach(uri)
            return _asked(MlflowClient(tracking_uri=uri))
        path = Path(uri.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            return _asked(MlflowClient(tracking_uri=uri))
    except failures() as error:
        raise UserError(f"the records at {shown_uri(uri)} cannot be opened ({type(error).__name__}): check MLFLOW_TRACKING_URI") from error


def wait_for_records() -> None:
    """Return once the records answer again. Raises UserError where they are away for ten minutes."""
    end = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            open_client()
            return
        except UserError:
            if time.monotonic() > end:
                raise
            time.sleep(OUTAGE_PAUSE)


def failures() -> tuple[type[Exception], ...]:
    """What a tracker, its database or the way to it can raise."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, RequestException, SQLAlchemyError, OSError, ModuleNotFoundError)  # the last: a database's driver


def _reach(uri: str) -> None:
    """Raise OSError where nothing listens at an address: the client itself would try for two minutes before it says so."""
    address = urlsplit(uri)
    if address.hostname and address.port:
        socket.create_connection((address.hostname, address.port), timeout=CONNECT_SECONDS).close()


def _asked(client: MlflowClient) -> MlflowClient:
    """The client, once its store has answered."""
    client.search_experiments(max_results=1)
    return client


def experiment_id(client: MlflowClient, name: str) -> str:
    """The experiment of a study, made where there is none. Where records lie in a database, artifacts lie under ``mlruns/artifacts``; a server has its own."""
    found = find_experiment(client, name)
    if found is not None:
        return str(found.experiment_id)
    served = tracking_uri().startswith(("http://", "https://"))
    location = None if served else (home() / "mlruns" / "artifacts" / name).as_uri()
    return str(client.create_experiment(name, artifact_location=location, tags=KIND))


def find_experiment(client: MlflowClient, name: str) -> Experiment | None:
    """The experiment of a study, or None. One that was deleted in the web page is brought back, with what it held."""
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        found = client.get_experiment_by_name(name)
    return found
