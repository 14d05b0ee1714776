"""Programs that a training starts, and that end with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tasks.core.errors import UserError
from tasks.federated.flower import QUIET
from tasks.federated.flower.credentials import LOOPBACK

STARTING = 60.0
"""Seconds in which a program listens."""


class Program:
    """A program in a process group of its own, behind a keeper that ends it when this process does, even when that is killed.

    Args:
        name: of its log.
        command: with all arguments.
        home: its FLWR_HOME and working folder.
    """

    def __init__(self, name: str, command: Sequence[str], home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, home / f"{name}.log"
        beside = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            **QUIET,
            "FLWR_HOME": str(home),
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05",
            "PATH": os.pathsep.join([beside, os.environ.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        kept = [sys.executable, "-m", "tasks.core.keeper", str(Path(beside) / command[0]), *command[1:]]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                kept, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=home, start_new_session=True
            )

    @property
    def group(self) -> int:
        """The process group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def wait_for(self, port: int) -> None:
        """Wait until it listens. Raises UserError where it ends, or takes too long."""
        end = time.monotonic() + STARTING
        while time.monotonic() < end and not self.ended:
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return
            time.sleep(0.05)
        raise UserError(f"federation.engine: {self.name} did not start: see {self.log}")

    def end(self) -> None:
        """End the whole group at once: nothing that it holds outlives the training."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port
