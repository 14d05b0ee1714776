"""Studies submitted to the server of `assay up`: what its page says, what the records hold, what is refused, and that nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.faults import Home, numbers
from tests.pipelines.served import Served, served, write_study
from tests.pipelines.watching import connections, outbound, watched

pytestmark = [pytest.mark.served, pytest.mark.timeout(900)]

STUDY = """
kind: dp-training
name: served
question: Is it the same through a server?
data: {kind: synthetic-assistant, examples: 400, task: intent}
model: {kind: bilstm, hidden_size: 8, embedding_size: 8}
training: {epochs: 2, optimizer: {kind: adamw, learning_rate: 0.02}}
sweep:
  seeds: [0, 1]
  arms: {plain: {}, faster: {training.optimizer.learning_rate: 0.05}}
claims:
  - {id: faster-is-better, says: A higher rate is better, metric: utility/accuracy, arm: faster, versus: plain, better: true}
"""
BAD = "kind: dp-training\nname: bad\ndata: {kind: synthetic-assistant}\nmodel: {kind: bilstn}\n"
SECRET = """
kind: dp-training
name: secret
data: {kind: synthetic-assistant, examples: 400, task: intent, public_size: 320}
fairness: []
model: {kind: linear}
training: {epochs: 1}
privacy: {kind: dp-sgd, target_epsilon: 8}
randomness: secret
"""
GATED = STUDY.replace("name: served", "name: gated") + "gates:\n  - {metric: utility/accuracy, at_least: 1.1, of: worst}\n"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    home = Home(folder / "home", watched(folder))
    for name, text in (("served", STUDY), ("bad", BAD), ("gated", GATED), ("secret", SECRET)):
        write_study(home.folder, name, text)
    (folder / "outside.csv").write_text("text,label\n")
    with served(home) as running:
        yield running


@pytest.fixture(scope="module")
def away(up: Served) -> dict[str, Any]:
    """The study made trial by trial on workers; the flow run that coordinated it."""
    run = up.submit("specs/served.yaml", execution={"runner": "work-pool"})
    assert up.ended(run)["type"] == "COMPLETED"
    return up.flow_run(run)


def test_trials_on_workers_give_the_numbers_of_one_process(up: Served, away: dict[str, Any], tmp_path: Path) -> None:
    alone = Home(tmp_path / "home").result(up.home.folder / "specs" / "served.yaml", "--processes", "1")
    assert numbers(up.comparison("served")) == numbers(alone)


def test_runs_say_study_arm_and_seed(up: Served, away: dict[str, Any]) -> None:
    assert away["name"] == "served"
    trials = up.trials()
    assert sorted(trial["name"] for trial in trials) == ["served faster seed 0", "served faster seed 1", "served plain seed 0", "served plain seed 1"]
    assert {trial["state"]["type"] for trial in trials} == {"COMPLETED"}
    steps = up.post("task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [trials[0]["id"]]}}, "limit": 50})
    suffix = trials[0]["name"].removeprefix("served ")
    assert steps and all(step["name"].endswith(suffix) for step in steps)


def test_the_page_has_progress_a_verdict_and_links(up: Served, away: dict[str, Any]) -> None:
    artifacts = up.artifacts(away["id"])
    assert artifacts["served-progress"]["data"] == 100.0
    verdict = artifacts["served-verdict"]["data"]
    assert "A higher rate is better" in verdict and "Is it the same through a server?" in verdict and "Guarantee" in verdict
    parent = next(run for run in up.runs("served") if run.data.tags.get("assay.role") == "study")
    assert f"{up.state['mlflow_page']}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}" in str(artifacts["served-mlflow-run"]["data"])
    assert "report.html" in str(artifacts["served-report"]["data"])
    assert parent.data.tags["prefect_flow_run"] == away["id"]


def test_each_trial_is_recorded_once_with_its_series(up: Served, away: dict[str, Any]) -> None:
    runs = up.runs("served")
    trials = sorted((run.data.tags["arm"], run.data.tags["seed"]) for run in runs if run.data.tags.get("assay.role") == "trial")
    assert trials == [("faster", "0"), ("faster", "1"), ("plain", "0"), ("plain", "1")]
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        if run.data.tags.get("assay.role") == "trial":
            steps = [metric.step for metric in up.client().get_metric_history(run.info.run_id, "train/loss")]
            assert steps and len(steps) == len(set(steps)), "a point of a series was sent twice"


def test_the_finished_study_is_reused_on_the_flow_s_own_processes(up: Served, away: dict[str, Any]) -> None:
    before = up.home.artifacts()
    assert up.ended(up.submit("specs/served.yaml"))["type"] == "COMPLETED"
    assert up.home.artifacts() == before and len(up.runs("served")) == 5


def test_a_secret_submission_is_made_on_a_worker_and_never_twice(up: Served) -> None:
    run = up.submit("specs/secret.yaml", execution={"runner": "work-pool"})
    state = up.ended(run)
    assert state["type"] == "COMPLETED", state["message"]
    made = up.home.artifacts()
    (trial,) = (run for run in up.runs("secret") if run.data.tags["assay.role"] == "trial")
    assert trial.data.tags["guarantee"].startswith("example-level (8,")
    assert up.ended(up.submit("specs/secret.yaml"))["type"] == "COMPLETED"
    assert up.home.artifacts() == made, "a private training was made, and would be spent, twice"


def test_a_bad_spec_fails_with_its_line(up: Served) -> None:
    said = up.prefect("deployment", "run", "dp-training/default", "--param", "study=specs/bad.yaml", "--watch")
    line = "specs/bad.yaml:4:9: model.kind: unknown kind 'bilstn'; did you mean 'bilstm'?"
    assert "Flow run finished in state 'Failed'" in said and line in said and "Traceback" not in said


def test_a_gate_that_fails_and_an_object_that_is_wrong_end_failed_with_the_reason(up: Served, away: dict[str, Any]) -> None:
    gated = up.ended(up.submit("specs/gated.yaml"))
    assert gated["type"] == "FAILED" and "utility/accuracy" in gated["message"] and "1.1" in gated["message"]
    wrong = up.ended(up.submit({"kind": "dp-training", "name": "wrong", "data": {"kind": "snips"}, "model": {"kind": "linear"}, "traning": {}}))
    assert wrong["type"] == "FAILED" and "did you mean 'training'" in wrong["message"]


def test_a_submitted_study_reads_no_file_outside_the_roots(up: Served) -> None:
    secret = up.home.folder.parent / "outside.csv"
    study = {
        "kind": "dp-training",
        "name": "thief",
        "data": {"kind": "files", "train": str(secret), "columns": {"text": "text", "label": "label"}},
        "model": {"kind": "linear"},
    }
    runs = [up.submit(study), up.submit("/etc/passwd"), up.submit("specs/../../outside.csv")]
    for run in runs:
        state = up.ended(run)
        assert state["type"] == "FAILED" and "lies outside the folders" in state["message"] and "ASSAY_ROOTS" in state["message"]


def test_nothing_but_this_machine_is_asked(up: Served, away: dict[str, Any]) -> None:
    folder = up.home.folder.parent
    assert connections(folder), "the watch saw no connection at all"
    assert outbound(folder) == []
