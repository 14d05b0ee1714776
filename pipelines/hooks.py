"""What is tidied when a flow run was cancelled or its process died: nothing of it stays RUNNING in the records, nothing trains for nobody."""

from __future__ import annotations

from typing import Any

from prefect import runtime
from prefect.logging import get_logger

from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import failures
from tasks.runtime.mlflow_.ending import end_open_runs, open_submissions
from tasks.runtime.mlflow_.runs import Recorder

FLOW_RUN = "prefect_flow_run"
"""Tag of a parent MLflow run: the flow run that coordinates it."""


def remember_flow_run(recorder: Recorder, parent: str) -> None:
    """Note in the records which flow run coordinates a submission."""
    if runtime.flow_run.id is not None:
        recorder.set_tags(parent, {FLOW_RUN: str(runtime.flow_run.id)})


def cancelled(flow: Any, flow_run: Any, state: Any) -> None:
    """Somebody cancelled a study: its trials elsewhere are ended too."""
    from pipelines.dispatching import cancel, trials_of

    for parent in _close(str(flow_run.id)):
        cancel(trials_of(parent))


def crashed(flow: Any, flow_run: Any, state: Any) -> None:
    """The process of a study died. Trials elsewhere go on: the study, when it is run again, waits for them."""
    _close(str(flow_run.id))


def _close(flow_run: str) -> list[str]:
    """Mark what a flow run left open as KILLED; returns the parent runs."""
    unreached: tuple[type[Exception], ...] = (*failures(), UserError)
    try:
        parents = [found.run for found in open_submissions() if found.tags.get(FLOW_RUN) == flow_run]
        for parent in parents:
            end_open_runs(parent, "KILLED")
    except unreached as error:
        get_logger("assay").warning("the records of flow run %s cannot be closed (%s)", flow_run, type(error).__name__)
        return []
    return parents
