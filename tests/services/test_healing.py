"""A run is lost when its process is gone; what becomes of it depends on how often that was and on what was asked of it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from pipelines.services.healing import MOST_STARTS, Healer, lost, next_state
from tests.pipelines.faults import wait_for


def run(pid: int | None = None, state: str = "RUNNING", age: float = 0, starts: int = 1) -> dict[str, Any]:
    moment = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return {"id": "a", "infrastructure_pid": None if pid is None else str(pid), "state": {"type": state, "timestamp": moment}, "run_count": starts}


@pytest.fixture
def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_a_run_is_lost_with_its_process(ended: int) -> None:
    assert lost(run(ended), everything=False)


def test_a_run_whose_process_lives_is_not_lost() -> None:
    program = "import sys; sys.stdin.read()  # prefect.engine"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as living:
        assert wait_for(lambda: program in psutil.Process(living.pid).cmdline(), 30)  # for a moment a new process has no command line
        assert not lost(run(living.pid), everything=True)
        assert living.stdin is not None


def test_a_number_that_another_process_has_by_now_is_no_life() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as other:
        assert lost(run(other.pid), everything=False)


def test_a_run_that_is_being_started_has_a_minute() -> None:
    assert not lost(run(state="PENDING", age=30), everything=False)
    assert lost(run(state="PENDING", age=90), everything=False)
    assert lost(run(state="PENDING", age=0), everything=True), "no worker is there to start it"


@pytest.mark.parametrize(
    ("state", "starts", "blamed", "becomes"),
    [
        ("RUNNING", 1, True, "AwaitingRetry"),
        ("PENDING", 0, True, "AwaitingRetry"),
        ("RUNNING", MOST_STARTS, True, "Crashed"),
        ("RUNNING", MOST_STARTS, False, "AwaitingRetry"),
        ("CANCELLING", 1, True, "Cancelled"),
    ],
)
def test_what_becomes_of_a_lost_run(state: str, starts: int, blamed: bool, becomes: str) -> None:
    assert next_state(run(state=state, starts=starts), blamed)["name"] == becomes


def test_a_server_that_is_away_is_asked_again_later() -> None:
    assert Healer("http://127.0.0.1:9/api").heal(everything=True) == 0
