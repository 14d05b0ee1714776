"""Each check of `assay doctor` can fail, and then says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import diagnosis
from pipelines.checks import folders, machine, servers
from pipelines.services import ports, state
from pipelines.services.state import Service, Up
from tasks.core.places import store_url, tracking_uri

SECRET = "s3cr3t"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    places = ("ASSAY_STORE", "ASSAY_DATA", "MLFLOW_TRACKING_URI", "ASSAY_DATABASE", "PREFECT_API_URL")
    switches = (name for found in machine.SWITCHES.values() for name in found)
    for name in (*places, *switches):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    (tmp_path / "mlruns").mkdir(mode=0o755)
    return tmp_path


def test_a_fresh_home_is_well() -> None:
    for check in (folders.permissions, servers.postgres, servers.services, servers.prefect, servers.mlflow, machine.telemetry):
        assert check().ok, check()


@pytest.mark.parametrize("path", ["mlruns", "mlruns/mlflow.db", "mlruns/prefect/server.db", "mlruns/up/state.json", "mlruns/store"])
def test_what_every_user_may_write_is_told(path: str, home: Path) -> None:
    found = home / path
    found.parent.mkdir(parents=True, exist_ok=True)
    if path.endswith(("store", "mlruns")):
        found.mkdir(exist_ok=True)
    else:
        found.touch()
    found.chmod(0o777)
    told = folders.permissions()
    assert not told.ok and f"{found}: every user may write it" in told.found and "chmod o-w" in told.fix


def test_what_belongs_to_another_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    told = folders.permissions()
    assert not told.ok and "belongs to another user" in told.found and "chown" in told.fix


@pytest.mark.parametrize(
    ("name", "value"),
    [("DO_NOT_TRACK", "0"), ("PREFECT_SERVER_ANALYTICS_ENABLED", "true"), ("MLFLOW_DISABLE_TELEMETRY", "false"), ("HF_HUB_DISABLE_TELEMETRY", "")],
)
def test_a_switch_that_turns_telemetry_on_is_told(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    told = machine.telemetry()
    assert not told.ok and f"{name}={value}" in told.found and told.fix == f"unset {name}"


def test_every_switch_is_set_where_the_user_says_nothing() -> None:
    from pipelines.embedded import QUIET as SERVER
    from pipelines.running import QUIET as LIBRARIES
    from tasks.runtime.mlflow_.client import QUIET as MLFLOW

    set_somewhere = SERVER | LIBRARIES | MLFLOW
    for switches in machine.SWITCHES.values():
        for name, off in switches.items():
            assert set_somewhere[name].lower() in off


def test_servers_that_do_not_answer_are_told_without_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://me:{SECRET}@127.0.0.1:9/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}@127.0.0.1:9")
    for told in (servers.prefect(), servers.mlflow()):
        assert not told.ok and "me:***@127.0.0.1:9" in told.found and "unset" in told.fix
        assert SECRET not in str(told)


def test_a_database_that_is_away_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", f"postgresql://me:{SECRET}@127.0.0.1:9")
    found = {told.check: told for told in diagnosis.diagnose()}
    assert not found["postgres"].ok and "refuses" in found["postgres"].found
    assert SECRET not in str(found)


def test_one_error_keeps_no_other_check_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE", "nonsense")
    found = list(diagnosis.diagnose())
    assert len(found) == len(diagnosis.CHECKS)
    assert all(told.fix for told in found if not told.ok)


def test_a_taken_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "in_use", lambda port: port == 5000)
    told = servers.free_ports()
    assert not told.ok and "port 5000 is taken" in told.found and "--mlflow-port" in told.found


class TestServices:
    """With a supervisor, which is this process."""

    UP = Up(os.getpid(), "running", NOWHERE, NOWHERE, "", "")

    @pytest.fixture
    def up(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
        monkeypatch.setattr(servers, "problem", lambda address: None)
        first = replace(self.UP, records=tracking_uri(), store=store_url())
        with state.supervising(first):
            yield first

    def test_healthy_ones_are_well(self, up: Up) -> None:
        assert servers.services().ok and servers.free_ports().found == "held by the services that are up"

    def test_a_page_that_does_not_answer_is_told(self, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(servers, "problem", lambda address: "Connection refused" if address.endswith("/api/health") else None)
        told = servers.services()
        assert not told.ok and told.found == f"Prefect at {NOWHERE}/api/health: Connection refused" and "assay up --stop" in told.fix

    def test_a_worker_that_is_away_is_told(self, up: Up) -> None:
        state.write(state.with_service(up, Service("assay-trials-1", "pool assay-trials, 1 at once", "restarting")))
        assert servers.services().found == "assay-trials-1 is restarting"

    def test_services_that_keep_records_elsewhere_are_told(self, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
        monkeypatch.setenv("ASSAY_STORE", "s3://bucket/x")
        told = servers.services()
        assert not told.ok and "a run from here in sqlite:///other.db" in told.found and "a run from here in s3://bucket/x" in told.found
        assert "ASSAY_DATABASE" in told.fix

    def test_what_a_killed_one_left_is_told(self, home: Path) -> None:
        with state.supervising(self.UP):
            left = (state.folder() / "state.json").read_text()
        (state.folder() / "state.json").write_text(left)
        told = servers.services()
        assert not told.ok and "killed" in told.found and "assay up" in told.fix
