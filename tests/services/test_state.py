"""What services say of themselves is believed only as long as their supervisor lives."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.services import state
from pipelines.services.state import AlreadyUp, Service, Up

FIRST = Up(os.getpid(), "starting", "http://127.0.0.1:4200", "http://127.0.0.1:5000", "sqlite:///x", "store")
SUPERVISOR = """
import os, sys, time
from pipelines.services import state
first = state.Up(os.getpid(), sys.argv[1], "http://127.0.0.1:1", "http://127.0.0.1:2", "sqlite:///x", "store")
with state.supervising(first):
    print("up", flush=True)
    time.sleep(60)
"""
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


@contextmanager
def another(phase: str = "running") -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, phase], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_nothing_is_up_in_a_fresh_home(home: Path) -> None:
    assert state.running() is None and state.living() is None and state.read() is None
    assert list(home.iterdir()) == [], "asking leaves nothing behind"


def test_a_living_supervisor_is_found() -> None:
    with another() as process:
        found = state.running()
        assert found is not None and found == state.living()
        assert (found.pid, found.prefect_api, found.mlflow_page) == (process.pid, "http://127.0.0.1:1/api", "http://127.0.0.1:2")
        assert (found.coordinators_pool, found.trials_pool) == ("assay-coordinators", "assay-trials")


@pytest.mark.parametrize("phase", ["starting", "stopping"])
def test_services_that_are_not_ready_are_living_but_not_running(phase: str) -> None:
    with another(phase):
        assert state.living() is not None and state.running() is None


def test_what_a_killed_supervisor_left_counts_for_nothing() -> None:
    with another() as process:
        assert not state.forget(), "a living one is not forgotten"
        process.kill()
        process.wait()
        assert state.read() is not None and state.living() is None
        assert state.forget() and state.read() is None and not state.forget()


def test_one_supervisor_a_home() -> None:
    with another(), pytest.raises(AlreadyUp), state.supervising(FIRST):
        pass
    with state.supervising(FIRST):
        assert state.read() == FIRST
    assert state.read() is None


def test_processes_that_only_ask_do_not_keep_one_from_starting() -> None:
    program = "from pipelines.services import state\nwhile True: state._locked()"
    state.folder().mkdir(parents=True)
    (state.folder() / "lock").touch()
    asking = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT)
    try:
        for _ in range(50):
            with state.supervising(FIRST):
                pass
    finally:
        asking.kill()
        asking.wait()


def test_the_state_is_its_owners_alone_and_is_replaced_whole() -> None:
    with state.supervising(FIRST):
        state.write(state.with_service(FIRST, Service("one", "http://127.0.0.1:1", "starting", 5)))
        path = state.folder() / "state.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(each.name for each in state.folder().iterdir()) == ["lock", "state.json"]


def test_a_service_is_replaced_by_name() -> None:
    one, two = Service("one", "a", "starting"), Service("two", "b", "starting")
    both = state.with_service(state.with_service(FIRST, one), two)
    assert both.services == (one, two)
    assert state.with_service(both, replace(one, condition="healthy")).services == (replace(one, condition="healthy"), two)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"pid": 1}', '{"services": [{"x": 1}]}', '{"services": 3}'])
def test_a_damaged_file_is_no_state(text: str) -> None:
    state.folder().mkdir(parents=True)
    (state.folder() / "state.json").write_text(text)
    assert state.read() is None and state.running() is None


def test_asking_imports_nothing_heavy() -> None:
    program = """
import sys
from pipelines.services import state
state.running()
print(*sorted(name for name in ("prefect", "mlflow", "httpx", "psutil", "pydantic", "torch", "typer", "asyncio") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
