"""Checks of the servers: those of `assay up`, those that the user names, the database and the ports."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipelines.checks.finding import Finding
from pipelines.services import databases, ports, state
from pipelines.services.health import mlflow_health, prefect_health, problem
from pipelines.services.state import Up
from tasks.core.places import database, shown_uri, store_url, tracking_uri


def services() -> Finding:
    """What `assay up` runs for this home: alive, healthy, and working on the records and the store that are configured here."""
    up = state.living()
    if up is None and state.read() is not None:
        return Finding("services (assay up)", False, f"killed; it left {state.folder() / 'state.json'}", "assay up starts them again, assay up --stop tidies")
    if up is None:
        return Finding("services (assay up)", True, "not up: assay up starts pages, servers and workers")
    unwell = list(_unwell(up))
    if unwell:
        return Finding("services (assay up)", False, "; ".join(unwell), f"wait some seconds, then see the logs in {state.folder()}; or assay up --stop")
    apart = list(_apart(up))
    if apart:
        fix = "set the same ASSAY_DATABASE, MLFLOW_TRACKING_URI and ASSAY_STORE here, or assay up --stop and start it with these"
        return Finding("services (assay up)", False, "; ".join(apart), fix)
    return Finding("services (assay up)", True, f"up: MLflow {up.mlflow_page}, Prefect {up.prefect_page}")


def prefect() -> Finding:
    """The Prefect server that the user named."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        found = "the one that is up" if state.running() else "each run brings its own, on loopback"
        return Finding("Prefect (PREFECT_API_URL)", True, f"none configured: {found}")
    wrong = problem(prefect_health(url))
    return Finding("Prefect (PREFECT_API_URL)", wrong is None, f"{shown_uri(url)} {wrong or 'answers'}", "start that server, or unset PREFECT_API_URL")


def mlflow() -> Finding:
    """The MLflow server that the user named as the place of the records."""
    uri = tracking_uri()
    if not uri.startswith(("http://", "https://")):
        return Finding("MLflow server", True, "none named: records go straight to their database")
    wrong = problem(mlflow_health(uri))
    return Finding("MLflow server", wrong is None, f"{shown_uri(uri)} {wrong or 'answers'}", "start that server, or unset MLFLOW_TRACKING_URI")


def postgres() -> Finding:
    """The database server of the records, and its databases."""
    url = database()
    if url is None:
        return Finding("database (ASSAY_DATABASE)", True, "SQLite, below the home folder")
    absent = databases.missing()
    if absent:
        return Finding("database (ASSAY_DATABASE)", False, f"{shown_uri(url)} lacks {', '.join(absent)}", "assay up makes them")
    return Finding("database (ASSAY_DATABASE)", True, f"{shown_uri(url)}: {', '.join(databases.NAMES)}")


def free_ports() -> Finding:
    """The ports that `assay up` takes when it is told nothing."""
    from pipelines.services.wanted import Options

    if state.living() is not None:
        return Finding("ports", True, "held by the services that are up")
    wanted = Options().ports
    try:
        ports.check(wanted)
    except ports.PortTaken as error:
        return Finding("ports", False, str(error), "free the port, or give assay up another")
    return Finding("ports", True, f"free for assay up: {', '.join(map(str, wanted.values()))}")


def _unwell(up: Up) -> Iterator[str]:
    if up.phase != "running":
        yield f"{up.phase}"
    for page, address in (("Prefect", prefect_health(up.prefect_api)), ("MLflow", mlflow_health(up.mlflow_page))):
        wrong = problem(address)
        if wrong:
            yield f"{page} at {address}: {wrong}"
    for service in up.services:
        if service.condition in ("starting", "restarting") and service.address.startswith("pool "):
            yield f"{service.name} is {service.condition}"


def _apart(up: Up) -> Iterator[str]:
    for what, there, here in (("records", up.records, shown_uri(tracking_uri())), ("artifacts", up.store, shown_uri(store_url()))):
        if there != here:
            yield f"it keeps {what} in {there}, a run from here in {here}"
