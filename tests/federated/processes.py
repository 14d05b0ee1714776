"""Processes that a test started, however far down, by a mark in their environment."""

from __future__ import annotations

import os
import time
import uuid

import psutil
import pytest

MARK = "ASSAY_TEST_MARK"


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
