"""Trials as flow runs of the kind's own deployment `trial`: whichever worker is free makes one (`execution.runner: work-pool`)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from pipelines.fanout import MOST_DEATHS, Failed
from pipelines.makers import Given
from pipelines.patience import patiently
from specs.errors import one_line
from specs.sweep import Trial
from tasks.core.errors import UserError
from tasks.core.graph import Node

POLL = 1.0
PAGE = 200


@dataclass
class FlowRuns:
    """Sends trials to workers and waits for them.

    A trial that is under way already, because an earlier coordinator was killed, is waited for, not begun again. One whose process or
    worker died is sent again; the trial goes on from its checkpoint.

    Args:
        kind: kind of study, whose deployment ``<kind>/trial`` is run.
        study: name of the study; a tag of its flow runs.
    """

    kind: str
    study: str
    _under_way: dict[UUID, Given] = field(default_factory=dict)
    _deaths: dict[str, int] = field(default_factory=dict)

    def make(self, trials: Sequence[Given], ended: Callable[[Given], None], tick: Callable[[Sequence[Node]], None]) -> list[Failed]:
        """Make trials; ``ended`` is told each one that is back, after its flow run has ended. Returns what failed."""
        failed: list[Failed] = []
        with self._ending_with_this():
            for given in trials:
                self._send(given)
            while self._under_way:
                for run in self._states():
                    state = run.state
                    if state is not None and state.is_final():
                        given = self._under_way.pop(run.id)
                        if state.type == StateType.CRASHED and self._again(given):
                            continue
                        ended(given)
                        failed += self._failed(given, state.type, str(state.message or state.name))
                tick([node for given in self._under_way.values() for node in given.missing])
                time.sleep(POLL)
        return failed

    def _send(self, given: Given) -> None:
        run = patiently(lambda: self._attached(given) or self._begin(given))
        self._under_way[run.id] = given

    def _begin(self, given: Given) -> FlowRun:
        planned = given.planned
        trial = planned.trial
        parameters = {
            "study": alone(trial),
            "arm": trial.arm,
            "seed": trial.seed,
            "key": planned.key,
            "mlflow_run": given.run,
            "submission": given.submission,
        }
        tags = (self.study, given.parent, given.run)
        name = f"{self.study} {planned.name}"
        try:
            begun = run_deployment(f"{self.kind}/trial", parameters=parameters, flow_run_name=name, tags=tags, timeout=0, idempotency_key=uuid.uuid4().hex)
            return cast(FlowRun, begun)
        except ObjectNotFound as error:
            raise UserError(f"the deployment {self.kind}/trial is not on the Prefect server: start `assay up`, or deploy infra/prefect.yaml") from error

    def _attached(self, given: Given) -> FlowRun | None:
        """The flow run of this very trial that is under way."""
        found = (run for run in _alive(given.run) if run.state is None or not run.state.is_cancelling())
        return next((run for run in found if run.parameters.get("key") == given.planned.key), None)

    def _states(self) -> list[FlowRun]:
        """The flow runs under way as the server knows them."""
        ids = list(self._under_way)
        found: list[FlowRun] = []
        for start in range(0, len(ids), PAGE):
            page = FlowRunFilter(id=FlowRunFilterId(any_=ids[start : start + PAGE]))
            found += patiently(lambda page=page: _read(page))  # type: ignore[misc]
        return found

    def _again(self, given: Given) -> bool:
        """Send a trial again whose process died, unless it has died too often."""
        name = given.planned.name
        self._deaths[name] = self._deaths.get(name, 0) + 1
        if self._deaths[name] >= MOST_DEATHS:
            return False
        self._send(given)
        return True

    @staticmethod
    def _failed(given: Given, state: StateType, message: str) -> list[Failed]:
        """What a trial lacks after its flow run has ended, with the one line that says why."""
        store = given.store
        lacking = [node for node in given.missing if not store.has(node.key)]
        if not lacking:
            return []
        reasons = {
            StateType.COMPLETED: f"the worker's artifacts are not in {store.url}: workers and coordinators must share one store (ASSAY_STORE)",
            StateType.CRASHED: f"its process ended {MOST_DEATHS} times; run the study again to go on from its checkpoint",
            StateType.CANCELLED: "cancelled",
        }
        reason = one_line(reasons.get(state, message))
        return [Failed(node, reason, root=index == 0) for index, node in enumerate(lacking)]

    @contextmanager
    def _ending_with_this(self) -> Iterator[None]:
        """Trials are cancelled where the study itself is stopped or fails."""
        try:
            yield
        except BaseException:
            cancel(list(self._under_way))
            raise


def alone(trial: Trial) -> dict[str, Any]:
    """A trial as a study of its own, in plain values: no other arms, and nothing that refers to them."""
    values: dict[str, Any] = trial.study.model_dump(mode="json", exclude={"sweep", "claims", "gates"})
    return {**values, "sweep": {"seeds": [trial.seed]}}


def cancel(runs: Sequence[UUID]) -> None:
    """Ask for the end of some flow runs: workers end their processes."""
    with _client() as client:
        for run in runs:
            client.set_flow_run_state(run, Cancelling(message="the study was stopped"))


def trials_of(parent: str) -> list[UUID]:
    """The flow runs of trials under way for a parent MLflow run."""
    return [run.id for run in _alive(parent)]


def _alive(tag: str) -> list[FlowRun]:
    """The flow runs with a tag that have not ended."""
    states = [state for state in StateType if state not in TERMINAL_STATES]
    return _read(FlowRunFilter(tags=FlowRunFilterTags(all_=[tag]), state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states))))


def _read(wanted: FlowRunFilter) -> list[FlowRun]:
    with _client() as client:
        return client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)


def _client() -> SyncPrefectClient:
    found: Any = get_client(sync_client=True)
    assert isinstance(found, SyncPrefectClient)
    return found
