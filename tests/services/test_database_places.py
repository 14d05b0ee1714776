"""One address names the database of all records: databases are ours to name, and artifacts stay below the home."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core import places
from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import experiment_id

SECRET = "s3cr3t"
URL = f"postgresql://me:{SECRET}@db:5432"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLFLOW_TRACKING_URI", "ASSAY_DATABASE", "ASSAY_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def test_without_an_address_it_is_sqlite(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", "")
    assert places.database() is None
    assert places.tracking_uri() == f"sqlite:///{home}/mlruns/mlflow.db"
    assert places.prefect_database_url() == f"sqlite+aiosqlite:///{home}/mlruns/prefect/server.db"
    assert places.ledger_url() == f"sqlite:///{home}/mlruns/ledger.db"


def test_a_ledger_of_its_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", URL)
    monkeypatch.setenv("ASSAY_LEDGER", "postgresql://other/privacy")
    assert places.ledger_url() == "postgresql://other/privacy"


@pytest.mark.parametrize("url", [URL, f"{URL}/", "postgresql://db", "postgresql://me@[::1]:5432", "postgresql://me:p%40ss%2Fword@db"])
def test_an_address_names_all_databases(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", url)
    bare = url.rstrip("/")
    assert places.database() == bare
    assert places.tracking_uri() == f"{bare}/assay_mlflow"
    assert places.ledger_url() == f"{bare}/assay_ledger"
    assert places.prefect_database_url() == f"{bare.replace('postgresql', 'postgresql+asyncpg')}/assay_prefect"


def test_a_tracking_uri_wins_for_mlflow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", URL)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert places.tracking_uri() == "http://127.0.0.1:5000"
    assert places.prefect_database_url().endswith("@db:5432/assay_prefect")


WRONG = ("mysql", "postgres", "postgresql+psycopg2", "sqlite", "http")


@pytest.mark.parametrize(
    "url",
    [*(f"{scheme}://me:{SECRET}@db" for scheme in WRONG), f"{URL}/own", f"{URL}?sslmode=require", f"{URL}x", f"postgresql://me:{SECRET}@", "nonsense"],
)
def test_anything_else_is_refused_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", url)
    for place in (places.database, places.tracking_uri, places.prefect_database_url):
        with pytest.raises(UserError, match="ASSAY_DATABASE must be postgresql://user:password@host:port") as refused:
            place()
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "below_home"),
    [("sqlite:///x.db", True), (f"{URL}/assay_mlflow", True), ("postgresql+psycopg2://db/x", True), ("http://h:1", False), ("https://h", False)],
)
def test_artifacts_lie_below_the_home_unless_a_server_has_its_own(uri: str, below_home: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    made: dict[str, Any] = {}
    client: Any = SimpleNamespace(get_experiment_by_name=lambda name: None, create_experiment=lambda name, **given: made.update(given) or "7")
    assert experiment_id(client, "s") == "7"
    assert made["artifact_location"] == ((home / "mlruns" / "artifacts" / "s").as_uri() if below_home else None)
