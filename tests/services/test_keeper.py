"""A service ends with its supervisor, however that ends, together with all that the service started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.services.child import Child

CHECKOUT = Path(__file__).resolve().parents[2]
SUPERVISOR = """
import os, sys, time
from pipelines.services import state
from pipelines.services.child import Child
state.folder().mkdir(parents=True)
child = Child("service", [sys.executable, "-c", sys.argv[1]], os.environ)
print(child.pid, flush=True)
time.sleep(60)
"""
PARENT_OF_ANOTHER = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def family_of(pid: int, members: int) -> list[psutil.Process]:
    """A process and all below it, once there are so many."""
    head = psutil.Process(pid)
    end = time.monotonic() + 20
    while len(head.children(recursive=True)) < members and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)  # interpreters start, and may set what they do with signals
    return [head, *head.children(recursive=True)]


@pytest.mark.parametrize(("service", "members"), [(PARENT_OF_ANOTHER, 2), (DEAF, 1)], ids=["with-children", "deaf"])
def test_nothing_outlives_a_killed_supervisor(service: str, members: int) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, service], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    family = family_of(int(supervisor.stdout.readline()), members)
    assert len(family) == members + 1
    supervisor.kill()
    supervisor.communicate()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []


def service(program: str) -> Child:
    from pipelines.services import state

    state.folder().mkdir(parents=True, exist_ok=True)
    return Child("service", [sys.executable, "-c", program], os.environ)


def test_a_killed_keeper_takes_its_service_along() -> None:
    child = service(PARENT_OF_ANOTHER)
    family = family_of(child.pid, 2)
    family[0].kill()
    child.finish(time.monotonic() + 10)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == [] and child.code() == -9


def test_exit_code_and_last_words_are_kept() -> None:
    child = service("import sys; print('first'); sys.exit('last words')")
    child.finish(time.monotonic() + 20)
    assert (child.code(), child.why()) == (1, "last words")


def test_a_polite_end_reaches_the_service() -> None:
    child = service("import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); time.sleep(60)")
    end = time.monotonic() + 20
    while "ready" not in child.log.read_text() and time.monotonic() < end:
        time.sleep(0.05)
    child.terminate()
    child.finish(time.monotonic() + 20)
    assert child.code() == 7


def test_a_long_log_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.services.child.LONGEST_LOG", 10)
    for words in ("a long first line", "a second"):
        child = service(f"print('{words}')")
        child.finish(time.monotonic() + 20)
    assert child.log.read_text() == "a second\n" and child.log.with_suffix(".log.1").read_text() == "a long first line\n"
