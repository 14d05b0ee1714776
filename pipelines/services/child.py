"""One kept service as a process: started, watched, ended together with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pipelines.services.state import folder

WHY_BYTES = 4096
LONGEST_LOG = 20 * 2**20
"""Bytes after which a log is put aside when its service next starts."""


class Child:
    """A process group around one command.

    Args:
        name: names the log.
        command: the service's own command.
        environment: its whole environment.
        listener: a socket for it to serve on; its number becomes the last argument.
    """

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], listener: socket.socket | None = None) -> None:
        self.log = log_of(name)
        self.started = time.monotonic()
        sockets = [listener.fileno()] if listener is not None else []
        kept = [sys.executable, "-m", "tasks.core.keeper", *command, *map(str, sockets)]
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                kept,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder(),
                start_new_session=True,
                pass_fds=sockets,
            )

    @property
    def pid(self) -> int:
        """Of the keeper, which is the head of the group."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    def code(self) -> int | None:
        """The exit code of a child that ended, None for one that lives."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def finish(self, until: float) -> None:
        """Wait until a monotonic moment for the end of a child, then make sure that nothing of it is left."""
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):  # the latter: asked for again, so at once
            self._process.wait(max(0.0, until - time.monotonic()))
        self.destroy()

    def destroy(self) -> None:
        """End whatever is left of the group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter: macOS, of a group that is just ending
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def why(self) -> str:
        """The last line that it wrote."""
        return last_line(self.log)


def log_of(name: str) -> Path:
    """The log of a service."""
    return folder() / f"{name.lower().replace(' ', '-')}.log"


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    try:
        lines = log.read_bytes()[-WHY_BYTES:].decode(errors="replace").splitlines()
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip(" │╰╯─╭╮")), "nothing was logged")
