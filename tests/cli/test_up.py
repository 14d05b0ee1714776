"""`assay up` for real: healthy, attached to, healed, ended, with nothing left and nothing asked of the network."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from pipelines.services import state
from pipelines.services.state import Up
from tests.cli.running import assay
from tests.pipelines.faults import CHECKOUT, Home, wait_for
from tests.pipelines.watching import connections, outbound, watched
from tests.services.postgres import Postgres, postgres

STUDY = """
kind: dp-training
name: lasting
data: {kind: synthetic-assistant, examples: 1500, task: intent}
fairness: []
model: {kind: bilstm, hidden_size: 32}
training: {epochs: 30}
utility: [{kind: accuracy}]
sweep: {seeds: [0, 1]}
"""


class Services(Home):
    """A home with services on ports of its own."""

    def begin(self, *options: str) -> Up:
        code, out, err = self.run("up", "--detach", *self.ports(), *options, timeout=200)
        assert code == 0, f"{out}\n{err}\n{self.logs()}"
        found = state.running()
        assert found is not None
        return found

    def ports(self) -> tuple[str, ...]:
        if not hasattr(self, "_ports"):
            listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
            numbers = [listener.getsockname()[1] for listener in listeners]
            for listener in listeners:
                listener.close()
            self._ports = ("--prefect-port", str(numbers[0]), "--mlflow-port", str(numbers[1]))
        return self._ports

    def logs(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in sorted((self.folder / "mlruns" / "up").glob("*.log")))

    def family(self) -> list[psutil.Process]:
        """Every process of the services."""
        found = state.living()
        assert found is not None
        head = psutil.Process(found.pid)
        return [head, *head.children(recursive=True)]

    def end(self) -> list[psutil.Process]:
        """`assay up --stop`; returns the processes that are still there afterwards."""
        family = self.family()
        code, out, err = self.run("up", "--stop", timeout=100)
        assert (code, err) == (0, "") and "nothing is left running" in out
        alive: list[psutil.Process] = psutil.wait_procs(family, timeout=1)[1]
        return alive


@pytest.fixture
def services(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """In the folder that the environment of this test calls home; whatever a failed test leaves is ended."""
    monkeypatch.setenv("ASSAY_DATABASE", "")  # also undoes what `--database` sets in this process
    found = Services(folder / "home", watched(folder))
    found.folder.mkdir()
    yield found
    if state.living() is not None:
        found.end()


def command_of(up: Up, name: str) -> psutil.Process:
    """The process of a service itself, below its keeper."""
    keeper = next(service.pid for service in up.services if service.name == name)
    return psutil.Process(keeper).children()[0]


def healed(name: str, restarts: int) -> bool:
    found = state.living()
    return found is not None and any((each.name, each.condition, each.restarts) == (name, "healthy", restarts) for each in found.services)


@pytest.mark.served
def test_up_is_healthy_is_attached_to_heals_and_ends(services: Services, folder: Path) -> None:
    up = services.begin("--trials", "1")
    try:
        assert httpx.get(f"{up.prefect_api}/health").json() is True
        assert "<title>MLflow</title>" in httpx.get(up.mlflow_page).text
        deployed = httpx.post(f"{up.prefect_api}/deployments/filter", json={}).json()
        assert {each["name"] for each in deployed} == {"default", "trial", "quickstart", "nightly"}
        assert all(each["version"] and each["path"] is None for each in deployed)
        command_of(up, "MLflow server").kill()
        code, out, _ = services.run("up", "--detach", *services.ports())
        assert code == 0 and "already up" in out and up.mlflow_page in out and up.prefect_page in out
        assert wait_for(lambda: healed("MLflow server", 1), 60), services.logs()
        assert httpx.get(f"{up.mlflow_page}/health").text == "OK"
    finally:
        left = services.end()
    assert left == [] and state.read() is None
    assert connections(folder), "the watch saw no connection at all"
    assert outbound(folder) == []


def test_a_taken_port_is_one_line_before_anything_starts(services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = assay("up", "--mlflow-port", port, "--prefect-port", services.ports()[1])
    assert done.code == 2 and done.out == "" and len(done.error_lines) == 1
    assert f"port {port} is taken by" in done.err and "choose another with --mlflow-port" in done.err
    assert not list(services.folder.rglob("*.log"))


def test_a_wrong_database_is_one_line_without_its_password(services: Services) -> None:
    done = assay("up", *services.ports(), "--database", "mysql://me:s3cr3t@db")
    assert done.code == 2 and len(done.error_lines) == 1 and "s3cr3t" not in done.err
    assert "ASSAY_DATABASE must be postgresql://" in done.err


def test_a_database_that_is_away_is_one_line_without_its_password(services: Services) -> None:
    done = assay("up", *services.ports(), "--database", f"postgresql://me:s3cr3t@127.0.0.1:{services.ports()[1]}")
    assert done.code == 2 and len(done.error_lines) == 1 and "s3cr3t" not in done.err
    assert "refuses" in done.err and state.read() is None


def test_nothing_to_stop_is_no_error() -> None:
    done = assay("up", "--stop")
    assert (done.code, done.out) == (0, "nothing is up here\n")


@pytest.mark.slow
def test_ctrl_c_ends_what_it_began_and_leaves_what_it_joined(services: Services) -> None:
    first = services.start("up", *services.ports())
    assert wait_for(lambda: state.running() is not None, 100), services.logs()
    family = services.family()
    second = services.start("up")
    time.sleep(4)
    second.send_signal(signal.SIGINT)
    out, err = second.communicate(timeout=20)
    assert second.returncode == 0 and "Ctrl-C leaves it running" in out and not err and state.running() is not None
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0 and out.rstrip().endswith("stopped: nothing is left running") and not err
    assert out.index("assay-trials-1: ended") < out.index("MLflow server: ended")
    assert psutil.wait_procs(family, timeout=1)[1] == []


@pytest.mark.slow
def test_a_killed_supervisor_leaves_nothing_and_the_next_starts_at_once(services: Services) -> None:
    services.begin()
    family = services.family()
    family[0].kill()
    began = time.monotonic()
    services.begin()
    try:
        assert psutil.wait_procs(family, timeout=0)[1] == []
        assert time.monotonic() - began < 120
    finally:
        assert services.end() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["assay-coordinators-1", "Prefect server"])
def test_a_study_survives_the_death_of_a_service(services: Services, name: str) -> None:
    (services.folder / "specs").mkdir()
    (services.folder / "specs" / "lasting.yaml").write_text(STUDY)
    up = services.begin()
    try:
        flow_run = submit(up, {"study": "specs/lasting.yaml"})
        assert wait_for(lambda: any((services.folder / "mlruns" / "store" / "unfinished").glob("*/metrics.jsonl")), 90), services.logs()
        command_of(up, name).kill()
        assert wait_for(lambda: healed(name, 1), 60), services.logs()
        assert wait_for(lambda: state_of(up, flow_run) in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"), 240), services.logs()
        assert state_of(up, flow_run) == "COMPLETED", services.logs()
    finally:
        assert services.end() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_under_way_goes_on_with_the_next_up(services: Services) -> None:
    (services.folder / "specs").mkdir()
    (services.folder / "specs" / "lasting.yaml").write_text(STUDY)
    up = services.begin()
    flow_run = submit(up, {"study": "specs/lasting.yaml"})
    assert wait_for(lambda: any((services.folder / "mlruns" / "store" / "unfinished").glob("*/metrics.jsonl")), 90), services.logs()
    assert services.end() == []
    up = services.begin()
    try:
        assert wait_for(lambda: state_of(up, flow_run) == "COMPLETED", 240), services.logs()
    finally:
        assert services.end() == []


@pytest.mark.slow
def test_what_the_file_no_longer_has_is_taken_away(services: Services) -> None:
    own = services.folder / "infra" / "prefect.yaml"
    own.parent.mkdir()
    shipped = (CHECKOUT / "infra" / "prefect.yaml").read_text()
    own.write_text(shipped)
    services.begin()
    assert services.end() == []
    own.write_text(shipped.replace("name: quickstart", "name: renamed").replace("    schedules:\n", "").replace("      - {slug: every-night", "    # {slug"))
    up = services.begin()
    try:
        deployed = {each["name"]: each for each in httpx.post(f"{up.prefect_api}/deployments/filter", json={}).json()}
        assert set(deployed) == {"default", "trial", "renamed", "nightly"}
        assert deployed["nightly"]["schedules"] == []
    finally:
        assert services.end() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_records_lie_in_postgresql_and_its_password_nowhere(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as server:
        services.extra["ASSAY_DATABASE"] = server.url
        monkeypatch.setenv("ASSAY_DATABASE", server.url)
        up = services.begin("--trials", "1", "--trial-workers", "2")
        try:
            assert server.password not in commands(services)
            flow_run = submit(up, {"study": yaml.safe_load(STUDY)})
            server.kill()
            server.start()
            assert wait_for(lambda: state_of(up, flow_run) == "COMPLETED", 240), services.logs()
            _, out, err = services.run("doctor")
            assert "assay_prefect, assay_mlflow" in out and server.password not in out + err
        finally:
            assert services.end() == []
        assert not list(services.folder.rglob("mlflow.db")) and not list(services.folder.rglob("server.db"))
        assert files_with(services.folder, server) == []


def submit(up: Up, parameters: dict[str, object]) -> str:
    """A flow run of the kind's deployment."""
    found = httpx.get(f"{up.prefect_api}/deployments/name/dp-training/default").raise_for_status().json()
    made = httpx.post(f"{up.prefect_api}/deployments/{found['id']}/create_flow_run", json={"parameters": parameters, "state": {"type": "SCHEDULED"}})
    return str(made.raise_for_status().json()["id"])


def state_of(up: Up, flow_run: str) -> str:
    try:
        return str(httpx.get(f"{up.prefect_api}/flow_runs/{flow_run}").raise_for_status().json()["state"]["type"])
    except httpx.HTTPError:
        return "the server is away"


def commands(services: Services) -> str:
    return "\n".join(" ".join(process.cmdline()) for process in services.family())


def files_with(folder: Path, server: Postgres) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and server.password.encode() in path.read_bytes()]
