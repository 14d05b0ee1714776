"""One trial in a flow run of its own: the same graph as in the study, made step by step in this process, series streamed as it goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prefect import State
from prefect.states import Completed
from prefect.utilities.annotations import quote

from pipelines.planning import Plan, plan_trial
from pipelines.refusing import MENDABLE, deployed, refused
from specs.loading import load_mapping
from tasks.core.errors import UserError
from tasks.core.graph import Call, Node
from tasks.core.places import home
from tasks.core.roots import roots
from tasks.runtime.execution import series_path
from tasks.runtime.mlflow_.client import failures, open_client
from tasks.runtime.mlflow_.runs import Recorder
from tasks.runtime.mlflow_.streaming import Streams
from tasks.runtime.steps import step

SERIES_EVERY = 2.0


def run_trial(study: Mapping[str, Any], arm: str, seed: int, key: str, mlflow_run: str, submission: str | None) -> State[Any]:
    """Make what a trial lacks. Its coordinator made the MLflow run, and records the numbers when this flow run has ended.

    Refused where this worker would make something else than the coordinator planned.
    """
    try:
        return _run(study, arm, seed, key, mlflow_run, submission)
    except MENDABLE as error:
        return refused(error)


def _run(study: Mapping[str, Any], arm: str, seed: int, key: str, mlflow_run: str, submission: str | None) -> State[Any]:
    name = f"{study.get('name', 'study')} {arm} seed {seed}"
    loaded = load_mapping(study, name, home(), roots=roots() if deployed() else None)
    plan = plan_trial(loaded, arm, seed, submission)
    planned = plan.trials[0]
    if planned.key != key:
        raise UserError(f"{name}: this worker's code, libraries or recorded models are not its coordinator's; give all workers one version, then run it again")
    missing = [node for node in planned.graph.nodes() if not plan.store.intact(node.key)]
    with _streaming(plan, missing, mlflow_run):
        made = _make(plan, missing, mlflow_run)
    return Completed(message=f"{made} steps made, {len(planned.graph.nodes()) - made} reused")


def _make(plan: Plan, missing: Sequence[Node], run: str) -> int:
    """Make the missing nodes in order, each linked to those it stands on. Returns how many were made here."""
    states: dict[str, State[Any]] = {}
    made = 0
    for node in missing:
        after = [states[needed.key] for needed in node.inputs.values() if needed.key in states]
        state = _step(plan.call(node, plan.loaded.study.execution.device, run), after)
        made += bool(state.result(raise_on_failure=True))
        states[node.key] = state
    return made


def _step(call: Call, after: Sequence[State[Any]]) -> State[Any]:
    named: Any = step.with_options(name=call.step.name, task_run_name=call.label)
    state: State[Any] = named(quote(call), wait_for=list(after), return_state=True)
    return state


@contextmanager
def _streaming(plan: Plan, nodes: Sequence[Node], run: str) -> Iterator[None]:
    """Inside, what unfinished steps say of their series goes to the trial's run every two seconds.

    A tracker that is away loses nothing: the coordinator sends at the end what the run does not have.
    """
    over = threading.Event()
    client = open_client()
    streams = Streams(Recorder(client, str(client.get_run(run).info.experiment_id)))

    def send() -> None:
        while not over.wait(SERIES_EVERY):
            for node in nodes:
                try:
                    streams.send(run, series_path(plan.store, node.key))
                except failures():
                    break

    sender = threading.Thread(target=send, daemon=True, name="stream-series")
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join(timeout=10)
