"""What `assay up` says about itself to other processes: a state file, and a lock that lives exactly as long as its supervisor.

Nothing here imports a heavy library, for every `assay run` asks whether services are up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tasks.core.places import home

COORDINATORS = "assay-coordinators"
TRIALS = "assay-trials"
"""The work pools: studies are coordinated in the first, their trials run in the second."""

Phase = Literal["starting", "running", "stopping"]
Condition = Literal["waiting", "starting", "healthy", "restarting", "yours"]
LOCK_PATIENCE = 1.0


@dataclass(frozen=True)
class Service:
    """One service as it was last seen. ``condition`` is ``yours`` for a server that the user runs and `up` only uses."""

    name: str
    address: str
    condition: Condition
    pid: int | None = None
    restarts: int = 0
    note: str = ""


@dataclass(frozen=True)
class Up:
    """The services of one home folder. Nothing in it is secret.

    ``prefect_page`` and ``mlflow_page`` are addresses without a trailing slash; ``records`` and ``store`` are what the workers use, as it
    may be shown.
    """

    pid: int
    phase: Phase
    prefect_page: str
    mlflow_page: str
    records: str
    store: str
    services: tuple[Service, ...] = ()
    coordinators_pool: str = COORDINATORS
    trials_pool: str = TRIALS

    @property
    def prefect_api(self) -> str:
        """What PREFECT_API_URL must be to use these services."""
        return f"{self.prefect_page}/api"


class AlreadyUp(Exception):
    """Another supervisor holds the lock of this home."""


def folder() -> Path:
    """Where state, lock and logs of the services lie."""
    return home() / "mlruns" / "up"


def running() -> Up | None:
    """The services of this home where they are up and all were healthy once; None while they start, stop or are not there."""
    found = living()
    return found if found is not None and found.phase == "running" else None


def living() -> Up | None:
    """The services of this home in whatever phase, as long as their supervisor lives. A file that a killed one left counts for nothing."""
    found = read()
    return found if found is not None and _locked() and alive(found.pid) else None


def read() -> Up | None:
    """What the state file says, true or stale; None where there is none that can be read."""
    try:
        values: dict[str, Any] = json.loads(_path().read_text())
        services = tuple(Service(**service) for service in values.pop("services"))
        return Up(services=services, **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def forget() -> bool:
    """Remove the state that a killed supervisor left; whether there was one."""
    if living() is not None or not _path().exists():
        return False
    _path().unlink(missing_ok=True)
    return True


@contextmanager
def supervising(first: Up) -> Iterator[None]:
    """Inside, this process is the supervisor of the home. Raises AlreadyUp where another one is."""
    import filelock

    folder().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder() / "lock")
    try:
        lock.acquire(timeout=LOCK_PATIENCE)  # a process that only asks holds it for a moment
    except filelock.Timeout:
        raise AlreadyUp from None
    try:
        write(first)
        yield
    finally:
        _path().unlink(missing_ok=True)
        lock.release()


def write(state: Up) -> None:
    """Replace the state file, whole, readable by its owner alone."""
    aside = _path().with_suffix(".aside")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(asdict(state), indent=1))
    aside.replace(_path())


def with_service(state: Up, service: Service) -> Up:
    """The state with one service replaced by what is now known of it, or added."""
    known = [service if old.name == service.name else old for old in state.services]
    return replace(state, services=tuple(known if service in known else [*known, service]))


def alive(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _path() -> Path:
    return folder() / "state.json"


def _locked() -> bool:
    import filelock

    path = folder() / "lock"
    if not path.exists():
        return False
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
