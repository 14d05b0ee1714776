"""What `assay doctor` looks at. Each check says what it found and, where something is wrong, what to do."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from tasks.core.errors import UserError
from tasks.core.places import data_folder, home, shown_uri, store_url, tracking_uri

LEAST_DISK = 2 * 2**30
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True)
class Finding:
    """One check."""

    check: str
    ok: bool
    found: str
    fix: str = ""


def diagnose() -> Iterator[Finding]:
    """Every check, in the order in which a person would mend."""
    yield _python()
    yield _packages()
    yield _device()
    yield _folder("home (ASSAY_HOME)", home() / "mlruns")
    yield _store()
    yield _records()
    yield _data()
    yield _disk()
    yield _server()
    yield _hub()


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 11) <= sys.version_info[:2] < (3, 13), found, "make the environment with Python 3.11 or 3.12: make setup")


def _packages() -> Finding:
    """Every requirement of this distribution, met."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("assay") or () if "extra ==" not in text]
    except PackageNotFoundError:
        return Finding("packages", False, "assay itself is not installed", "make setup")
    wrong = []
    for requirement in wanted:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} (needs {requirement.specifier})")
    return Finding("packages", not wrong, "; ".join(wrong) or f"{len(wanted)} requirements met", "pip install -c infra/constraints.txt -e .")


def _device() -> Finding:
    from tasks.runtime.devices import available, pool_size

    devices = available("auto")
    return Finding("devices", True, f"{', '.join(devices)}; {pool_size('auto', 'auto')} steps side by side")


def _folder(name: str, folder: Path) -> Finding:
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return Finding(name, False, f"{folder}: {error.strerror}", "make the folder writable, or set ASSAY_HOME to one that is")
    return Finding(name, True, str(folder))


def _store() -> Finding:
    url = store_url()
    if "://" not in url:
        return _folder("store (ASSAY_STORE)", Path(url))
    from tasks.core.store import reach_store

    try:
        reach_store(url)
    except UserError as error:
        return Finding("store (ASSAY_STORE)", False, str(error), "check the URL and the credentials in the environment")
    return Finding("store (ASSAY_STORE)", True, shown_uri(url))


def _records() -> Finding:
    name = "records (MLFLOW_TRACKING_URI)"
    try:
        from tasks.runtime.mlflow_.history import studies

        found = studies()
    except Exception as error:  # whatever a database driver raises
        first = str(error).splitlines()[0][:160]
        return Finding(name, False, f"{shown_uri(tracking_uri())}: {first}", "check the address; unset MLFLOW_TRACKING_URI to use SQLite below the home folder")
    return Finding(name, True, f"{shown_uri(tracking_uri())}, {len(found)} studies")


def _data() -> Finding:
    folder = data_folder()
    if not folder.exists():
        return Finding("data (ASSAY_DATA)", True, f"{folder}: made when a catalogue dataset is first downloaded")
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return Finding("data (ASSAY_DATA)", True, f"{folder}: {', '.join(found)[:120] or 'empty'}")


def _disk() -> Finding:
    free = shutil.disk_usage(home()).free
    return Finding(
        "disk", free >= LEAST_DISK, f"{free / 2**30:.0f} GiB free at {home()}", "free some space: assay gc, or remove mlruns/artifacts of old studies"
    )


def _server() -> Finding:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Finding("Prefect", True, "none configured: each run brings its own, on loopback")
    import httpx

    try:
        httpx.get(f"{url}/health", timeout=5).raise_for_status()
    except httpx.HTTPError as error:
        return Finding("Prefect", False, f"{url}: {type(error).__name__}", "start that server, or unset PREFECT_API_URL")
    return Finding("Prefect", True, f"{url} answers")


def _hub() -> Finding:
    offline = [name for name in OFFLINE if os.environ.get(name) in ("1", "true", "True")]
    return Finding(
        "telemetry and hub",
        True,
        f"telemetry off; hub {'off (' + ', '.join(offline) + ')' if offline else 'asked only for models and data that a study names'}",
    )
