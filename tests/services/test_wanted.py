"""What is run: on loopback, with absolute places, one thread, no telemetry; a password is in the environment and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.services import ports
from pipelines.services.wanted import Options, environment, servers, workers

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASSAY_STORE", "ASSAY_DATA", "MLFLOW_TRACKING_URI", "ASSAY_DATABASE", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_servers_listen_on_loopback_alone() -> None:
    mlflow, prefect = servers(Options(prefect_port=4, mlflow_port=5))
    assert mlflow.command[mlflow.command.index("--host") + 1] == "127.0.0.1" and mlflow.address == "http://127.0.0.1:5"
    assert prefect.held_port == 4 and prefect.address == "http://127.0.0.1:4"
    with ports.listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_password_is_in_no_command_and_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", f"postgresql://me:{SECRET}@db:5432")
    mlflow, prefect = servers(Options())
    for wanted in (mlflow, prefect, *workers(Options(trial_workers=2))):
        assert SECRET not in " ".join([wanted.name, wanted.address, *wanted.command])
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == f"postgresql://me:{SECRET}@db:5432/assay_mlflow"
    assert prefect.environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"postgresql+asyncpg://me:{SECRET}@db:5432/assay_prefect"


def test_without_a_database_records_lie_below_the_home(home: Path) -> None:
    mlflow, prefect = servers(Options())
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{home}/mlruns/mlflow.db"
    assert prefect.environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"sqlite+aiosqlite:///{home}/mlruns/prefect/server.db"


def test_an_mlflow_server_of_the_users_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9999/")
    options = Options()
    assert [wanted.name for wanted in servers(options)] == ["Prefect server"]
    assert options.mlflow_page == "http://127.0.0.1:9999" and list(options.ports) == ["--prefect-port"]


def test_runs_find_absolute_places_and_this_server(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_STORE", "shelf")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own.db")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    found = environment(Options(prefect_port=4))
    assert found["ASSAY_HOME"] == str(home) and found["ASSAY_DATA"] == str(home / "mlruns" / "data")
    assert found["ASSAY_STORE"] == str(tmp_path / "shelf") and found["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/own.db"
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4/api" and found["PREFECT_HOME"] == str(home / "mlruns" / "prefect")
    assert found["PATH"] == os.environ["PATH"]


def test_a_store_elsewhere_stays_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_STORE", "s3://bucket/x")
    assert environment(Options())["ASSAY_STORE"] == "s3://bucket/x"


def test_runs_use_one_thread_and_no_library_calls_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")
    found = environment(Options())
    assert {found[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")} == {"1"}
    switches = ("DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "PREFECT_SERVER_ANALYTICS_ENABLED")
    assert [found[name] for name in switches] == ["1", "1", "true", "false"]


def test_workers_have_the_slots_that_were_asked_for() -> None:
    found = workers(Options(coordinators=7, trials=3, trial_workers=2))
    assert [wanted.name for wanted in found] == ["assay-coordinators-1", "assay-trials-1", "assay-trials-2"]
    assert [wanted.command[wanted.command.index("--limit") + 1] for wanted in found] == ["7", "3", "3"]
