"""What every flow does: plan, make what is missing, record each trial as it ends, compare, and say where to look."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prefect.futures import PrefectConcurrentFuture

from pipelines.datarules import check_data
from pipelines.fanout import Failed, Fanout
from pipelines.hooks import remember_flow_run
from pipelines.makers import Given, Makers
from pipelines.outcome import Conclude, Outcome, Submission
from pipelines.planning import Plan, PlannedTrial
from pipelines.progress import Display, Tracker
from pipelines.timeleft import TimeLeft
from specs.errors import one_line
from tasks.core.errors import UserError
from tasks.core.graph import Node, with_inputs
from tasks.runtime.execution import begin_coordinating, durations
from tasks.runtime.mlflow_.client import failures, open_client

SERIES_EVERY = 2.0


class RecordsLost(UserError):
    """The records could not be written any more. What was made is kept; the same study goes on from it."""


@dataclass
class Coordinator:
    """One submission of one plan. It is the only maker of MLflow runs.

    Args:
        plan: what to do.
        submission: where it is recorded.
        tracker: told how far the work is.
        makers: what makes the missing work.
    """

    plan: Plan
    submission: Submission
    tracker: Tracker
    makers: Makers
    _unmade: dict[str, Node] = field(default_factory=dict)
    _open: list[PlannedTrial] = field(default_factory=list)
    _unrecorded: list[Failed] = field(default_factory=list)
    _futures: dict[str, PrefectConcurrentFuture[Any]] = field(default_factory=dict)
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
        self._record_ended(self._open)
        wanted = {node.key for planned in self._open for node in planned.graph.nodes()} - data
        failed = [*lost, *refused, *self._make_trials([node for node in missing if node.key in wanted], lost)]
        for planned in self._open:
            keys = {node.key for node in planned.graph.nodes()}
            self.submission.fail(planned, [problem.reason for problem in failed if problem.node.key in keys])
        return failed + self._unrecorded

    def _make(self, nodes: Sequence[Node], before: Sequence[Failed] = ()) -> list[Failed]:
        if not nodes:
            return []
        owners = self._owners(nodes)
        device, makers = self.plan.loaded.study.execution.device, self.makers
        fanout = Fanout(makers.pool, lambda node: self.plan.call(node, device, owners[node.key]), self._made, self._tick, makers.slots, self._futures)
        return fanout.make(nodes, before)

    def _make_trials(self, nodes: Sequence[Node], lost: Sequence[Failed]) -> list[Failed]:
        """Step by step on the pool, or each trial as a flow run of its own."""
        if self.makers.dispatch is None:
            return self._make(nodes, lost)
        spoilt = {problem.node.key for problem in lost}
        able = [planned for planned in self._open if not spoilt & {node.key for node in planned.graph.nodes()}]
        given = [given for planned in able if (given := self._given(planned)) is not None]
        failed = self.makers.dispatch.make(given, self._ended_away, self._tick)
        return [*failed, *(Failed(node, lost[0].reason, root=False) for node in nodes if lost and node.key in self._unmade)]

    def _given(self, planned: PlannedTrial) -> Given | None:
        """A trial as it is sent away; None where nothing of it is missing."""
        missing = [node for node in planned.graph.nodes() if node.key in self._unmade]
        if not missing:
            return None
        submission = self.submission
        return Given(planned, submission.trial_run(planned), submission.parent, missing, self.plan.store, self.plan.graph.submission)

    def _ended_away(self, given: Given) -> None:
        """A trial that was sent away is back: what the store has of it is made."""
        for node in given.missing:
            if node.key in self._unmade and self.plan.store.has(node.key):
                self._count(node)
        self._record_ended([given.planned])

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

    def _made(self, node: Node) -> None:
        self._count(node)
        self._record_ended(self._open)

    def _count(self, node: Node) -> None:
        del self._unmade[node.key]
        self.submission.made.add(node.key)
        self.tracker.made(node)

    def _record_ended(self, trials: Sequence[PlannedTrial]) -> None:
        """Record the trials that have all they stand on."""
        for planned in list(trials):
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
        self.tracker.tick(len(self.plan.graph.nodes) - len(self._unmade), running)
        if self.makers.dispatch is None and time.monotonic() - self._last_series > SERIES_EVERY:
            self._last_series = time.monotonic()
            for planned in self._open:
                self.submission.stream(planned, [node for node in planned.graph.nodes() if node.key in self._unmade])


def warm_up() -> None:
    """Work that needs no server, done while one starts: open the records, import what planning imports."""
    open_client()


@contextmanager
def only_one(plan: Plan, display: Display) -> Iterator[None]:
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


def coordinate(plan: Plan, new: bool, display: Display, makers: Makers, conclude: Conclude | None = None) -> Outcome:
    """Run a plan to its end inside a flow run and return what came of it. Raises RecordsLost."""
    begin_coordinating()
    left = TimeLeft(durations(plan.store), makers.processes)
    tracker = Tracker(plan.store, left, list(plan.graph), display)
    for line in plan.said:
        display.say(line)
    with only_one(plan, display):
        remember_keys(plan)
        submission = Submission.begin(plan, new)
        try:
            remember_flow_run(submission.recorder, submission.parent)
            with display.live(), makers:
                failed = Coordinator(plan, submission, tracker, makers).run()
            return submission.end(failed, conclude)
        except failures() as error:
            raise RecordsLost(
                f"the records cannot be written ({type(error).__name__}: {one_line(str(error), 200)}); what was made is kept: run the study again"
            ) from error
        except BaseException as error:
            submission.abandon(killed=not isinstance(error, Exception))
            raise


def remember_keys(plan: Plan) -> None:
    """Note which artifacts the newest submission of a study stands on, so that `assay gc` keeps them."""
    folder = plan.store.local / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.loaded.study.name}.json"
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps({"study_key": plan.study_key, "keys": sorted(plan.graph.nodes)}))
    aside.replace(path)
