"""Kill -9 of every part of a running `assay up` in the middle of a study: it ends with the numbers of an undisturbed one, nothing finished is
made again, no run stays RUNNING."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.pipelines.faults import CHECKOUT, Home, numbers, wait_for
from tests.pipelines.served import Served, begun, is_alive, served, training, write_study
from tests.services.postgres import free_port, postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STUDY = """
kind: dp-training
name: hurt
data: {kind: synthetic-assistant, examples: 1500, task: intent}
fairness: []
model: {kind: bilstm, hidden_size: 48}
training: {epochs: 12}
utility: [{kind: accuracy}]
sweep: {seeds: [0, 1, 2]}
"""
AWAY, HERE = {"runner": "work-pool"}, {"runner": "processes"}
FLOW_RUN = "prefect.flow_engine"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_study(folder / "home", "hurt", STUDY)
    return numbers(Home(folder / "home").result(folder / "home" / "specs" / "hurt.yaml"))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Served]:
    home = Home(tmp_path / "home")
    write_study(home.folder, "hurt", STUDY)
    with served(home) as running:
        yield running


def flow_run_processes(up: Served, run: str) -> list[psutil.Process]:
    """The processes of one flow run: the one that a worker started, without the pool below it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run and "--multiprocessing-fork" not in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_whole(up: Served, kept: dict[str, float], undisturbed: dict[str, Any], trials: int = 3) -> None:
    """The study ended as if nothing had happened."""
    assert numbers(up.comparison("hurt")) == undisturbed
    assert {key: up.home.artifacts().get(key) for key in kept} == kept, "finished work was lost or made again"
    assert up.statuses("hurt") == ["FINISHED"] * (trials + 1)


def hurt(up: Served, execution: dict[str, str], blow: Callable[[str], None]) -> tuple[str, dict[str, float]]:
    """A study that gets a blow in the middle of a training; its flow run, and what was made before."""
    run = up.submit("specs/hurt.yaml", execution=execution)
    begun(up.home)
    kept = up.home.artifacts()
    assert kept, "nothing was finished before the blow"
    blow(run)
    return run, kept


@pytest.mark.parametrize("execution", [AWAY, HERE], ids=["work-pool", "processes"])
def test_a_worker_that_is_killed_comes_back(up: Served, undisturbed: dict[str, Any], execution: dict[str, str]) -> None:
    name = "assay-trials-1" if execution is AWAY else "assay-coordinators-1"
    before = up.pid(name)
    run, kept = hurt(up, execution, lambda run: up.kill_service(name))
    assert up.ended(run)["type"] == "COMPLETED"
    assert up.pid(name) != before or wait_for(lambda: up.pid(name) != before, 60), "the worker was not started again"
    assert_whole(up, kept, undisturbed)


def test_a_trial_s_process_that_is_killed_is_sent_again(up: Served, undisturbed: dict[str, Any]) -> None:
    def blow(run: str) -> None:
        running = [trial["id"] for trial in up.trials() if trial["state"]["type"] == "RUNNING"]
        victims = [process for trial in running for process in flow_run_processes(up, trial)]
        assert victims, "no trial had a process"
        victims[0].kill()

    run, kept = hurt(up, AWAY, blow)
    assert up.ended(run)["type"] == "COMPLETED"
    assert "CRASHED" in {trial["state"]["type"] for trial in up.trials()}, "the kill met nothing"
    assert_whole(up, kept, undisturbed)


def test_a_pooled_process_that_is_killed_is_replaced(up: Served, undisturbed: dict[str, Any]) -> None:
    def blow(run: str) -> None:
        pooled = up.processes("--multiprocessing-fork")
        assert pooled, "there was no pool"
        pooled[0].kill()

    run, kept = hurt(up, HERE, blow)
    assert up.ended(run)["type"] == "COMPLETED"
    assert_whole(up, kept, undisturbed)


@pytest.mark.parametrize("execution", [AWAY, HERE], ids=["work-pool", "processes"])
def test_a_coordinator_that_is_killed_leaves_no_run_open_and_goes_on_when_asked(up: Served, undisturbed: dict[str, Any], execution: dict[str, str]) -> None:
    def blow(run: str) -> None:
        for process in flow_run_processes(up, run):
            process.kill()

    run, kept = hurt(up, execution, blow)
    assert up.ended(run)["type"] == "CRASHED"
    assert wait_for(lambda: "RUNNING" not in up.statuses("hurt"), 60), up.statuses("hurt")
    assert up.ended(up.submit("specs/hurt.yaml", execution=execution))["type"] == "COMPLETED"
    assert_whole(up, kept, undisturbed)
    if execution is AWAY:
        assert len(up.trials()) == 3, "a trial that was under way was begun again"


@pytest.mark.parametrize("execution", [AWAY, HERE], ids=["work-pool", "processes"])
def test_a_cancelled_study_ends_its_processes_and_marks_its_runs(up: Served, undisturbed: dict[str, Any], execution: dict[str, str]) -> None:
    victims: list[psutil.Process] = []

    def blow(run: str) -> None:
        trials = [trial["id"] for trial in up.trials() if trial["state"]["type"] == "RUNNING"]
        victims.extend(process for each in (run, *trials) for process in flow_run_processes(up, each))
        victims.extend(up.processes("--multiprocessing-fork"))
        assert len(victims) >= 2
        up.prefect("flow-run", "cancel", run)

    run, kept = hurt(up, execution, blow)
    assert up.ended(run)["type"] == "CANCELLED"
    assert wait_for(lambda: not any(is_alive(process) for process in victims), 45), "a cancelled study trained on"
    assert wait_for(lambda: {trial["state"]["type"] for trial in up.trials()} <= {"CANCELLED", "COMPLETED"}, 45)
    assert wait_for(lambda: set(up.statuses("hurt")) <= {"KILLED", "FINISHED"} and "KILLED" in up.statuses("hurt"), 45), up.statuses("hurt")
    assert up.ended(up.submit("specs/hurt.yaml", execution=execution))["type"] == "COMPLETED"
    assert_whole(up, kept, undisturbed)


def test_the_mlflow_page_that_is_killed_comes_back(up: Served, undisturbed: dict[str, Any]) -> None:
    before = up.pid("MLflow server")
    run, kept = hurt(up, HERE, lambda run: up.kill_service("MLflow server"))
    assert up.ended(run)["type"] == "COMPLETED"
    assert wait_for(lambda: up.pid("MLflow server") != before, 60)
    assert_whole(up, kept, undisturbed)


def test_records_behind_an_mlflow_server_survive_its_death(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/tracked.db", "--artifacts-destination", str(tmp_path / "artifacts")]
    home = Home(tmp_path / "home", {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", "MLFLOW_DISABLE_TELEMETRY": "true"})
    study = home.folder / write_study(home.folder, "hurt", STUDY)

    def start() -> subprocess.Popen[bytes]:
        environment = {**home.environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=silent, stderr=silent)

    def kill(server: subprocess.Popen[bytes]) -> None:
        for process in psutil.Process(server.pid).children(recursive=True):
            process.kill()
        server.kill()
        server.wait()

    server = start()
    try:
        assert wait_for(lambda: _listens(port), 60)
        process = home.start("run", str(study), "--json")
        begun(home)
        kill(server)
        time.sleep(3)
        server = start()
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert numbers(home.result(study)) == undisturbed
        statuses = Served(home, {}).statuses("hurt")
        assert statuses == ["FINISHED"] * 4
    finally:
        kill(server)


def _listens(port: int) -> bool:
    return any(each.laddr and each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in psutil.net_connections("tcp"))


@pytest.mark.parametrize("execution", [AWAY, HERE], ids=["work-pool", "processes"])
def test_postgresql_that_is_killed_and_started_again(tmp_path: Path, undisturbed: dict[str, Any], execution: dict[str, str]) -> None:
    with postgres() as database:
        home = Home(tmp_path / "home", {"ASSAY_DATABASE": database.url})
        write_study(home.folder, "hurt", STUDY)

        def blow(run: str) -> None:
            database.kill()
            time.sleep(5)
            database.start()

        with served(home) as up:
            run, kept = hurt(up, execution, blow)
            first = up.ended(run)["type"]
            if first != "COMPLETED":
                assert up.ended(up.submit("specs/hurt.yaml", execution=execution))["type"] == "COMPLETED"
            up.home.extra["MLFLOW_TRACKING_URI"] = f"{database.url}/assay_mlflow"
            assert_whole(up, kept, undisturbed)


def test_fifty_trials_on_four_workers_are_each_recorded_once(tmp_path: Path) -> None:
    text = """
kind: dp-training
name: fifty
data: {kind: synthetic-assistant, examples: 300, task: intent}
fairness: []
model: {kind: linear}
training: {epochs: 1}
utility: [{kind: accuracy}]
sweep: {seeds: [0, 1, 2, 3, 4], grid: {training.optimizer.learning_rate: [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009, 0.01]}}
"""
    with postgres() as database:
        home = Home(tmp_path / "home", {"ASSAY_DATABASE": database.url})
        write_study(home.folder, "fifty", text)
        with served(home, "--trial-workers", "4", "--trials", "1") as up:
            assert up.ended(up.submit("specs/fifty.yaml", execution=AWAY), timeout=1500)["type"] == "COMPLETED"
            up.home.extra["MLFLOW_TRACKING_URI"] = f"{database.url}/assay_mlflow"
            runs = up.runs("fifty")
            trials = [(run.data.tags["arm"], run.data.tags["seed"]) for run in runs if run.data.tags["assay.role"] == "trial"]
            assert len(trials) == len(set(trials)) == 50 and len(runs) == 51
            assert {run.info.status for run in runs} == {"FINISHED"}
            assert len(up.trials()) == 50


def test_a_schedule_fires_every_minute_and_an_overlap_is_given_up(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    write_study(home.folder, "hurt", STUDY.replace("[0, 1, 2]", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]").replace("epochs: 12", "epochs: 40"))
    declared = (CHECKOUT / "infra" / "prefect.yaml").read_text()
    nightly = declared.replace('"0 3 * * *"', '"* * * * *"').replace("specs/dp_training/smoke.yaml", "specs/hurt.yaml")
    assert nightly != declared
    (home.folder / "infra").mkdir(parents=True)
    (home.folder / "infra" / "prefect.yaml").write_text(nightly)
    with served(home) as up:
        deployment = up.get("deployments/name/dp-training/nightly")["id"]

        def states() -> list[str]:
            found = up.post("flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}, "limit": 100})
            return [run["state"]["type"] for run in found if run["auto_scheduled"]]

        assert wait_for(lambda: "RUNNING" in states() and training(home), 150), "the schedule did not fire"
        assert wait_for(lambda: "CANCELLED" in states(), 150), f"an overlapping run was not given up: {states()}"
        assert states().count("RUNNING") == 1
