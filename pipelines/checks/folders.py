"""Checks of the places: home, store, records, data, and who may write them."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipelines.checks.finding import Finding
from pipelines.services.state import folder as services_folder
from tasks.core.errors import UserError
from tasks.core.places import data_folder, home, shown_uri, store_url, tracking_uri


def home_folder() -> Finding:
    """The home folder, writable."""
    return _writable("home (ASSAY_HOME)", home() / "mlruns", "ASSAY_HOME")


def store() -> Finding:
    """The artifact store, reached and writable."""
    url = store_url()
    if "://" not in url:
        return _writable("store (ASSAY_STORE)", Path(url), "ASSAY_STORE")
    from tasks.core.store import reach_store

    try:
        reach_store(url)
    except UserError as error:
        return Finding("store (ASSAY_STORE)", False, str(error), "check the URL and the credentials in the environment")
    return Finding("store (ASSAY_STORE)", True, shown_uri(url))


def records() -> Finding:
    """The MLflow store, opened."""
    name = "records (MLFLOW_TRACKING_URI)"
    where = shown_uri(tracking_uri())
    try:
        from tasks.runtime.mlflow_.history import studies

        found = studies()
    except Exception as error:  # whatever a database driver raises
        first = (str(error).splitlines() or [type(error).__name__])[0][:160]
        fix = "check the address; unset MLFLOW_TRACKING_URI and ASSAY_DATABASE to use SQLite below the home folder"
        return Finding(name, False, f"{where}: {first}", fix)
    return Finding(name, True, f"{where}, {len(found)} studies")


def data() -> Finding:
    """The catalogue's cache."""
    folder = data_folder()
    if not folder.exists():
        return Finding("data (ASSAY_DATA)", True, f"{folder}: made when a catalogue dataset is first downloaded")
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return Finding("data (ASSAY_DATA)", True, f"{folder}: {', '.join(found)[:120] or 'empty'}")


def permissions() -> Finding:
    """Nobody else may change records, artifacts or what is said about running services, and they belong to whoever asks."""
    wrong = [f"{path}: {problem}" for path in _guarded() for problem in _open_to_others(path)]
    if wrong:
        return Finding("permissions", False, "; ".join(wrong), "chmod o-w what others may write, chown what belongs to another user")
    return Finding("permissions", True, "records, artifacts and state are writable by you alone")


def _writable(name: str, folder: Path, variable: str) -> Finding:
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return Finding(name, False, f"{folder}: {error.strerror}", f"make the folder writable, or set {variable} to one that is")
    return Finding(name, True, str(folder))


def _guarded() -> Iterator[Path]:
    mlruns = home() / "mlruns"
    candidates = [mlruns, mlruns / "mlflow.db", mlruns / "prefect" / "server.db", services_folder(), services_folder() / "state.json"]
    if "://" not in store_url():
        candidates.append(Path(store_url()))
    return (path for path in candidates if path.exists())


def _open_to_others(path: Path) -> Iterator[str]:
    found = path.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        yield "every user may write it"
    if os.geteuid() not in (0, found.st_uid):  # root works in a user's folder, as in a container with a mounted one
        yield "belongs to another user"
