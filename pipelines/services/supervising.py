"""The supervisor behind `assay up`: servers first, then workers; what ends by itself is started again; workers end before servers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pipelines.services import deploying, ports, state
from pipelines.services.child import Child
from pipelines.services.healing import Healer
from pipelines.services.showing import line
from pipelines.services.state import Service, Up
from pipelines.services.wanted import Options, Wanted, environment, own_tracker, servers, workers
from tasks.core.errors import UserError

LOOK_SECONDS = 0.25
ASK_SECONDS = 0.5
START_TIMEOUT = 300.0
LONGEST_BACKOFF = 30.0
STEADY_SECONDS = 60.0
"""A service that has run this long starts again at once, however often it ended before."""


class NotStarted(UserError):
    """A service ended before it was healthy, or took too long."""


@dataclass
class _Running:
    """A wanted service and the process that serves it now; None while it waits to be started again."""

    wanted: Wanted
    child: Child | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    healthy: bool = False
    restarts: int = 0
    failures: int = 0
    next_start: float = 0.0
    next_question: float = 0.0


class Supervisor:
    """Keeps the services of one home; call inside `state.supervising`.

    Args:
        options: what to run.
        first: the state as written on entry.
        say: is given each line of progress.
    """

    def __init__(self, options: Options, first: Up, say: Callable[[str], None]) -> None:
        self._options = options
        self._state = first
        self._say = say
        self._environment = environment(options)
        self._kept: list[_Running] = []
        self._listeners: dict[int, socket.socket] = {}
        self._healer = Healer(options.prefect_api)

    def start(self) -> None:
        """Start everything and wait until it is healthy. Raises NotStarted."""
        tracker = own_tracker()
        if tracker:
            self._note(Service("MLflow server", tracker, "yours"))
        self._until_healthy([self._add(wanted) for wanted in servers(self._options)])
        deploying.make_pools(self._options.prefect_api)
        self._heal("left by an earlier `assay up`: they go on now", everything=True)
        added = [self._add(wanted) for wanted in workers(self._options)]
        self._deploy()
        self._until_healthy(added)
        self._set_phase("running")

    def watch(self) -> None:
        """Keep everything running, until an exception ends it."""
        while True:
            for kept in self._kept:
                self._look_after(kept)
            if all(kept.healthy for kept in self._kept if kept.wanted.held_port):
                self._heal("lost with a process: scheduled again")
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """End the workers, then the servers; nothing is left. A second Ctrl-C ends them without grace."""
        self._set_phase("stopping")
        serving = {wanted.name for wanted in servers(self._options)}
        self._end([kept for kept in self._kept if kept.wanted.name not in serving])
        self._heal("under way: they go on with the next `assay up`", everything=True)
        self._end([kept for kept in self._kept if kept.wanted.name in serving])
        for listener in self._listeners.values():
            listener.close()

    def _add(self, wanted: Wanted) -> _Running:
        kept = _Running(wanted)
        self._kept.append(kept)
        self._begin(kept)
        return kept

    def _begin(self, kept: _Running) -> None:
        kept.since = datetime.now(UTC)
        kept.child = Child(kept.wanted.name, kept.wanted.command, {**self._environment, **kept.wanted.environment}, self._listener(kept.wanted))
        self._note(Service(kept.wanted.name, kept.wanted.address, "starting", kept.child.pid, kept.restarts))

    def _listener(self, wanted: Wanted) -> socket.socket | None:
        if wanted.held_port is None:
            return None
        if wanted.held_port not in self._listeners:
            self._listeners[wanted.held_port] = ports.listen(wanted.held_port)
        return self._listeners[wanted.held_port]

    def _until_healthy(self, started: Iterable[_Running]) -> None:
        waiting = list(started)
        end = time.monotonic() + START_TIMEOUT
        while waiting:
            for kept in waiting:
                child = kept.child
                if child is None or child.code() is not None or time.monotonic() > end:
                    raise NotStarted(_not_started(kept))
                self._ask(kept)
            waiting = [kept for kept in waiting if not kept.healthy]
            time.sleep(LOOK_SECONDS if waiting else 0)

    def _deploy(self) -> None:
        child = Child("deployments", deploying.command(), self._environment)
        self._note(Service("deployments", str(deploying.prefect_file()), "starting", child.pid))
        try:
            while child.code() is None:
                if child.seconds > START_TIMEOUT:
                    raise NotStarted(f"deployments: not made after {START_TIMEOUT:.0f} s; see {child.log}")
                time.sleep(LOOK_SECONDS)
            if child.code():
                raise NotStarted(f"deployments of {deploying.prefect_file()}: {child.why()} (see {child.log})")
        finally:
            child.destroy()
        self._note(Service("deployments", str(deploying.prefect_file()), "healthy", note=f"{child.why()}, after {child.seconds:.1f} s"))

    def _look_after(self, kept: _Running) -> None:
        if kept.child is None:
            if time.monotonic() >= kept.next_start:
                self._begin(kept)
            return
        code = kept.child.code()
        if code is None:
            if not kept.healthy:
                self._ask(kept)
            return
        kept.child.destroy()
        kept.failures = 0 if kept.child.seconds > STEADY_SECONDS else kept.failures + 1
        pause = min(2.0 ** max(0, kept.failures - 1), LONGEST_BACKOFF) if kept.failures else 0.0
        kept.child, kept.healthy, kept.restarts, kept.next_start = None, False, kept.restarts + 1, time.monotonic() + pause
        note = f"ended with code {code}; starts again {f'in {pause:.0f} s' if pause else 'now'}"
        self._note(Service(kept.wanted.name, kept.wanted.address, "restarting", None, kept.restarts, note))

    def _ask(self, kept: _Running) -> None:
        if kept.child is None or time.monotonic() < kept.next_question:
            return
        kept.next_question = time.monotonic() + ASK_SECONDS
        if kept.wanted.healthy(kept.since):
            kept.healthy = True
            note = f"after {kept.child.seconds:.1f} s"
            self._note(Service(kept.wanted.name, kept.wanted.address, "healthy", kept.child.pid, kept.restarts, note))

    def _heal(self, what: str, everything: bool = False) -> None:
        lost = self._healer.heal(everything)
        if lost:
            self._say(f"runs {what} ({lost})")

    def _end(self, leaving: list[_Running]) -> None:
        children = [(kept.child, kept.wanted) for kept in leaving if kept.child is not None]
        for child, _ in children:
            child.terminate()
        now = time.monotonic()
        for child, wanted in children:
            child.finish(now + wanted.grace)
            self._say(f"{wanted.name}: ended")
        self._kept = [kept for kept in self._kept if kept not in leaving]

    def _note(self, service: Service) -> None:
        self._state = state.with_service(self._state, service)
        state.write(self._state)
        self._say(line(service))

    def _set_phase(self, phase: state.Phase) -> None:
        self._state = replace(self._state, phase=phase)
        state.write(self._state)


def _not_started(kept: _Running) -> str:
    child = kept.child
    if child is None or child.code() is None:
        return f"{kept.wanted.name}: not healthy after {START_TIMEOUT:.0f} s"
    return f"{kept.wanted.name} ended before it was healthy: {child.why()} (see {child.log})"
