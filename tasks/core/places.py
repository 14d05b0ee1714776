"""Where things are: the home folder, the data cache, the store and the tracker. Each can be set by an environment name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from tasks.core.errors import UserError

MLFLOW_DATABASE = "assay_mlflow"
PREFECT_DATABASE = "assay_prefect"
LEDGER_DATABASE = "assay_ledger"


def home() -> Path:
    """``ASSAY_HOME``, else the checkout that this code lies in, else the current folder."""
    named = os.environ.get("ASSAY_HOME")
    if named:
        return Path(named).expanduser().resolve()
    return checkout() if (checkout() / "pyproject.toml").exists() else Path.cwd()


def checkout() -> Path:
    """The folder that this code lies in, with the studies and deployments that come with it."""
    return Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """The catalogue's cache: ``ASSAY_DATA``, else ``mlruns/data`` under the home folder. A file lies at ``<dataset>/<name>``."""
    named = os.environ.get("ASSAY_DATA")
    return Path(named).expanduser().resolve() if named else home() / "mlruns" / "data"


def store_url() -> str:
    """Folder or fsspec URL of the artifact store: ``ASSAY_STORE``, else ``mlruns/store`` under the home folder."""
    return os.environ.get("ASSAY_STORE") or str(home() / "mlruns" / "store")


def database() -> str | None:
    """The PostgreSQL server of the records: ``ASSAY_DATABASE``, ``postgresql://user:password@host:port``; None stands for SQLite.

    Raises UserError where it is anything else. Databases are ours to name, and what a connection needs besides (TLS, timeouts) is read
    from libpq's own names in the environment (``PGSSLMODE``, ...), which every driver here knows.
    """
    url = os.environ.get("ASSAY_DATABASE")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        known = parts.scheme == "postgresql" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.path.strip("/") or parts.query or parts.fragment:
        raise UserError(f"ASSAY_DATABASE must be postgresql://user:password@host:port and no more (got {shown_uri(url)})")
    return url.rstrip("/")


def tracking_uri() -> str:
    """The MLflow store: ``MLFLOW_TRACKING_URI``, else a database of ``ASSAY_DATABASE``, else SQLite under ``mlruns`` of the home folder."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named:
        return named
    server = database()
    return f"{server}/{MLFLOW_DATABASE}" if server else f"sqlite:///{home() / 'mlruns' / 'mlflow.db'}"


def ledger_url() -> str:
    """The ledger of privacy, written for SQLAlchemy: ``ASSAY_LEDGER``, else a database of ``ASSAY_DATABASE``, else SQLite under ``mlruns`` of the home."""
    named = os.environ.get("ASSAY_LEDGER")
    if named:
        return named
    server = database()
    return f"{server}/{LEDGER_DATABASE}" if server else f"sqlite:///{home() / 'mlruns' / 'ledger.db'}"


def prefect_database_url() -> str:
    """Where the Prefect server of `assay up` keeps its records: a database of ``ASSAY_DATABASE``, else SQLite. Written for Prefect's drivers."""
    server = database()
    if server:
        return f"{server.replace('postgresql://', 'postgresql+asyncpg://', 1)}/{PREFECT_DATABASE}"
    return f"sqlite+aiosqlite:///{home() / 'mlruns' / 'prefect' / 'server.db'}"


def shown_uri(uri: str) -> str:
    """A URI as it may be printed and recorded: without the password that it may carry."""
    return re.sub(r"(://[^/@:]*):[^@/]*@", r"\1:***@", uri)
