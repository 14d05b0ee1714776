"""`assay up` where services are up already or start in the background: the same lines, read from the state file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from pipelines.services import state
from pipelines.services.child import last_line, log_of
from pipelines.services.showing import line
from pipelines.services.state import Up
from tasks.core.errors import UserError

LOOK_SECONDS = 0.25
STOP_TIMEOUT = 90.0
INTERPRETER_SECONDS = 3.0
"""What a supervisor that has ended everything takes to end itself; nobody may be there to collect it."""
SUPERVISOR = "up"


def follow(say: Callable[[str], None], until: Callable[[Up], bool] = lambda up: False, told: dict[str, str] | None = None) -> bool:
    """Say what changes; returns True once ``until`` holds, False when the services end. ``told`` holds what was said, for the next call."""
    told = {} if told is None else told
    while (up := state.living()) is not None:
        for service in up.services:
            text = line(service)
            if told.get(service.name) != text:
                told[service.name] = text
                say(text)
        if until(up):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def start_detached(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a supervisor in the background; it outlives this process and its terminal."""
    state.folder().mkdir(parents=True, exist_ok=True)
    with log_of(SUPERVISOR).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli.main", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_running(supervisor: subprocess.Popen[bytes], say: Callable[[str], None]) -> Up:
    """Follow a supervisor in the background until all is healthy. Raises UserError where it ends before."""
    while state.living() is None and supervisor.poll() is None:
        time.sleep(LOOK_SECONDS)
    if not follow(say, until=lambda up: up.phase == "running"):
        supervisor.wait()
        raise UserError(last_line(log_of(SUPERVISOR)).removeprefix("assay: "))
    found = state.running()
    if found is None:
        raise UserError(f"the services ended as soon as they were up: see {log_of(SUPERVISOR)}")
    return found


def stop(say: Callable[[str], None]) -> None:
    """End the services of this home and wait for it. Raises UserError where they do not end."""
    up = state.living()
    if up is None:
        say("nothing is up here" + (": a killed one has left its state, now removed" if state.forget() else ""))
        return
    os.kill(up.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_TIMEOUT
    while state.living() is not None:
        if time.monotonic() > end:
            raise UserError(f"the supervisor, process {up.pid}, has not ended after {STOP_TIMEOUT:.0f} s: see {state.folder()}")
        time.sleep(LOOK_SECONDS)
    gone = time.monotonic() + INTERPRETER_SECONDS
    while state.alive(up.pid) and time.monotonic() < gone:
        time.sleep(LOOK_SECONDS / 5)
    say("stopped: nothing is left running")
