"""Databases of MLflow and Prefect that were migrated once: a fresh home begins with copies, as migrating takes seconds each time."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import filelock


def _kept() -> Path:
    """Where this version's migrated databases lie, shared by the processes that test at once."""
    folder = Path(tempfile.gettempdir()) / f"assay-tests-mlflow-{version('mlflow')}-prefect-{version('prefect')}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def begin(home: Path) -> None:
    """Give a home that has none the migrated databases: MLflow's, and Prefect's template where a run has left one."""
    kept = _kept()
    records, template = home / "mlruns" / "mlflow.db", f"template-{version('prefect')}.db"
    with filelock.FileLock(kept / "lock"):
        if not (kept / "mlflow.db").exists():
            _migrate(kept / "mlflow.db")
        if not records.exists():
            records.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept / "mlflow.db", records)
        mine = home / "mlruns" / "prefect" / template
        if (kept / template).exists() and not mine.exists():
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept / template, mine)


def end(home: Path) -> None:
    """Keep the template that a run of the command made."""
    kept, name = _kept(), f"template-{version('prefect')}.db"
    made = home / "mlruns" / "prefect" / name
    with filelock.FileLock(kept / "lock"):
        if made.exists() and not (kept / name).exists():
            shutil.copy(made, kept / "aside.db")
            (kept / "aside.db").rename(kept / name)


def _migrate(path: Path) -> None:
    from mlflow import MlflowClient

    aside = path.with_suffix(".aside")
    aside.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{aside}").search_experiments(max_results=1)
    aside.rename(path)
