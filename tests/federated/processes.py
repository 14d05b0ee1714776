"""Processes that a test started, however far down, by a mark in their environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MARK = "ASSAY_TEST_MARK"
HOLD = """
import time
from pathlib import Path
from tasks.federated.flower.{module} import {opener}
with {opened} as fleet:
    print("open", flush=True)
    time.sleep(600)
"""


def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Mark what is started from here on."""
    name = uuid.uuid4().hex
    monkeypatch.setenv(MARK, name)
    return name


def marked(name: str) -> list[psutil.Process]:
    """The living processes with a mark, without this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == name:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def left(name: str, within: float = 20.0) -> list[str]:
    """What is still there after some seconds, by its command line."""
    end = time.monotonic() + within
    while (found := marked(name)) and time.monotonic() < end:
        time.sleep(0.2)
    told = []
    for process in found:
        try:
            told.append(" ".join(process.cmdline())[:200])
        except psutil.NoSuchProcess:
            continue
    return told


def assert_nothing_outlives(module: str, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill a program that holds an engine open: everything that it started ends."""
    name = mark(monkeypatch)
    program = HOLD.format(module=module, opener=opened.split("(")[0], opened=opened)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    assert len(marked(name)) > 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert left(name, within=60.0) == []
