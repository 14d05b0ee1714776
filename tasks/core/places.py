"""Where things are: the home folder, the data cache, the store and the tracker. Each can be set by an environment name."""

from __future__ import annotations

import os
import re
from pathlib import Path


def home() -> Path:
    """``ASSAY_HOME``, else the checkout that this code lies in, else the current folder."""
    named = os.environ.get("ASSAY_HOME")
    if named:
        return Path(named).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def data_folder() -> Path:
    """The catalogue's cache: ``ASSAY_DATA``, else ``mlruns/data`` under the home folder. A file lies at ``<dataset>/<name>``."""
    named = os.environ.get("ASSAY_DATA")
    return Path(named).expanduser().resolve() if named else home() / "mlruns" / "data"


def store_url() -> str:
    """Folder or fsspec URL of the artifact store: ``ASSAY_STORE``, else ``mlruns/store`` under the home folder."""
    return os.environ.get("ASSAY_STORE") or str(home() / "mlruns" / "store")


def tracking_uri() -> str:
    """The MLflow store: ``MLFLOW_TRACKING_URI``, else SQLite under ``mlruns`` of the home folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlruns' / 'mlflow.db'}"


def shown_uri(uri: str) -> str:
    """A URI as it may be printed and recorded: without the password that it may carry."""
    return re.sub(r"(://[^/@:]*):[^@/]*@", r"\1:***@", uri)
