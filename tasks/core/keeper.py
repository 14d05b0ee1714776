"""The process between a program and a service that it started: it ends the service when the program ends, however that ends.

Run as ``python -m tasks.core.keeper COMMAND...`` in a process group of its own, with a pipe of the program as its input: a pipe
ends with the process that holds its other end, even with one that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

GRACE = 5.0


def keep(command: list[str]) -> int:
    """Run a service to its end; returns its exit code."""
    service = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)  # a socket that was given to this process is the service's

    def terminate(number: int, frame: FrameType | None) -> None:
        service.terminate()

    signal.signal(signal.SIGTERM, terminate)
    orphaned = threading.Event()
    threading.Thread(target=_watch, args=(service, orphaned), daemon=True).start()
    code = service.wait()
    if orphaned.is_set():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _watch(service: subprocess.Popen[bytes], orphaned: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):  # not `stdin.read()`, whose lock would keep the interpreter from ending first
        pass
    orphaned.set()
    service.terminate()
    try:
        service.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
