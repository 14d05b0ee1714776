"""What every flow does: plan, make what is missing, record each trial as it ends, compare, and say where to look."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipelines.datarules import check_data
from pipelines.fanout import Failed, Fanout
from pipelines.outcome import Outcome, Submission
from pipelines.planning import Plan, PlannedTrial
from pipelines.progress import Terminal
from pipelines.timeleft import TimeLeft
from specs.errors import one_line
from tasks.core.errors import UserError
from tasks.core.graph import Call, Node, with_inputs
from tasks.runtime.devices import pool_size
from tasks.runtime.execution import begin_coordinating, durations
from tasks.runtime.mlflow_.client import failures, open_client

SERIES_EVERY = 2.0


@dataclass
class Coordinator:
    """One submission of one plan. It is the only maker of MLflow runs.

    Args:
        plan: what to do.
        submission: where it is recorded.
        display: what a person sees.
        device: the device that steps ask for.
        physical_batch_size: the most examples on a device at once; None leaves it to each step.
        processes: steps that run side by side; one more is handed over, so that no process waits.
    """

    plan: Plan
    submission: Submission
    display: Terminal
    device: str
    physical_batch_size: int | None
    processes: int
    _unmade: dict[str, Node] = field(default_factory=dict)
    _open: list[PlannedTrial] = field(default_factory=list)
    _unrecorded: list[Failed] = field(default_factory=list)
    _last_series: float = 0.0

    def run(self) -> list[Failed]:
        """Make every missing node, recording trials as they end; returns what failed. Data comes first: its facts may refuse a trial."""
        missing = self.plan.missing(verified=True)
        self._unmade = {node.key: node for node in missing}
        self._open = list(self.plan.trials)
        for node in self.plan.graph:
            if node.key not in self._unmade:
                self.plan.store.tidy(node.key)
        for key in self._unmade:
            self.plan.store.discard(key)
        data = {node.key for planned in self._open for node in with_inputs([planned.graph.data])}
        lost = self._make([node for node in missing if node.key in data])
        refused = self._refuse()
        self._record_ended()
        wanted = {node.key for planned in self._open for node in planned.graph.nodes()} - data
        failed = [*lost, *refused, *self._make([node for node in missing if node.key in wanted], lost)]
        for planned in self._open:
            keys = {node.key for node in planned.graph.nodes()}
            self.submission.fail(planned, [problem.reason for problem in failed if problem.node.key in keys])
        return failed + self._unrecorded

    def _make(self, nodes: Sequence[Node], before: Sequence[Failed] = ()) -> list[Failed]:
        if not nodes:
            return []
        owners = self._owners(nodes)
        return Fanout(lambda node: self._call(node, owners), self._made, self._tick, self.processes + 1).make(nodes, before)

    def _refuse(self) -> list[Failed]:
        """Fail the trials that a rule on their data refuses; nothing more is made for them."""
        self.submission.checks = check_data(self.plan)
        failed = []
        for planned in list(self._open):
            finding = self.submission.checks.refused.get(planned.name)
            if finding is not None:
                self._open.remove(planned)
                self.submission.fail(planned, [str(finding)])
                failed.append(Failed(planned.graph.model, str(finding), root=True))
        return failed

    def _owners(self, missing: Sequence[Node]) -> dict[str, str]:
        """The run that makes each missing node: the first trial that stands on it."""
        owners: dict[str, str] = {}
        for planned in self._open:
            run = self.submission.trial_run(planned)
            for node in planned.graph.nodes():
                owners.setdefault(node.key, run)
        return {node.key: owners[node.key] for node in missing}

    def _call(self, node: Node, owners: dict[str, str]) -> Call:
        return self.plan.call(node, self.device, self.physical_batch_size, owners[node.key])

    def _made(self, node: Node) -> None:
        del self._unmade[node.key]
        self.submission.made += 1
        self.display.made(node)
        self._record_ended()

    def _record_ended(self) -> None:
        """Record every trial that has all it stands on."""
        for planned in list(self._open):
            if not any(node.key in self._unmade for node in planned.graph.nodes()):
                self._open.remove(planned)
                self._record(planned)

    def _record(self, planned: PlannedTrial) -> None:
        """A trial that cannot be recorded has failed; its work stays in the store."""
        try:
            self.submission.record(planned)
        except failures() as error:
            reason = f"it could not be recorded ({type(error).__name__}: {one_line(str(error), 200)})"
            self._unrecorded.append(Failed(planned.graph.model, reason, root=True))
            self.submission.fail(planned, [reason])

    def _tick(self, running: Sequence[Node]) -> None:
        total = len(self.plan.graph.nodes)
        self.display.tick(total - len(self._unmade), total, running)
        if time.monotonic() - self._last_series > SERIES_EVERY:
            self._last_series = time.monotonic()
            for planned in self._open:
                self.submission.stream(planned, [node for node in planned.graph.nodes() if node.key in self._unmade])


def warm_up() -> None:
    """Work that needs no server, done while one starts: open the records, import what planning imports."""
    open_client()


@contextmanager
def only_one(plan: Plan, display: Terminal) -> Iterator[None]:
    """Held by the one run of a study on this machine; a second one waits, then finds the work done."""
    import filelock

    lock = f"study-{plan.study_key}"
    try:
        with plan.store.lock(lock, timeout=0.2):
            yield
        return
    except filelock.Timeout:
        display.say("the same study is being run by another process: waiting for it, then reusing its work")
    with plan.store.lock(lock):
        yield


def coordinate(plan: Plan, new: bool, quiet: bool) -> Outcome:
    """Run a plan to its end inside a flow run and return what came of it."""
    begin_coordinating()
    execution = plan.loaded.study.execution
    processes = pool_size(execution.processes, execution.device)
    left = TimeLeft(durations(plan.store), processes)
    display = Terminal(plan.store, left, list(plan.graph), quiet)
    batch = None if execution.physical_batch_size == "auto" else int(execution.physical_batch_size)
    with only_one(plan, display):
        remember_keys(plan)
        submission = Submission.begin(plan, new)
        try:
            with display.live():
                failed = Coordinator(plan, submission, display, execution.device, batch, processes).run()
            return submission.end(failed)
        except failures() as error:
            raise UserError(
                f"the records cannot be written ({type(error).__name__}: {one_line(str(error), 200)}); what was made is kept: run the study again"
            ) from error
        except BaseException as error:
            submission.abandon(killed=isinstance(error, KeyboardInterrupt | SystemExit))
            raise


def remember_keys(plan: Plan) -> None:
    """Note which artifacts the newest submission of a study stands on, so that `assay gc` keeps them."""
    folder = plan.store.local / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.loaded.study.name}.json"
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps({"study_key": plan.study_key, "keys": sorted(plan.graph.nodes)}))
    aside.replace(path)
