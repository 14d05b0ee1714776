"""What the coordinator decides: which trials fail and why, what is recorded, which model is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from specs import soundness
from tasks.core.places import tracking_uri
from tasks.core.rules import Rule
from tasks.runtime.mlflow_.runs import Recorder
from tasks.training import loop
from tests.pipelines.inline import run

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "inline",
    "data": {"kind": "synthetic-assistant", "examples": 300, "task": "intent"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1},
    "sweep": {"seeds": [0, 1], "arms": {"plain": {}, "wild": {"training.optimizer.learning_rate": 1000}}},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def runs(parent: str) -> dict[str, Run]:
    client = MlflowClient(tracking_uri=tracking_uri())
    found = client.search_runs([client.get_run(parent).info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    return {f"{one.data.tags['arm']} {one.data.tags['seed']}": one for one in found}


def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings at a learning rate of 1000 end with an error."""
    real = loop.Loop.run

    def wild(self: loop.Loop) -> Any:
        if self.training.optimizer.learning_rate == 1000:
            raise loop.TrainingDiverged("the loss is not a number after step 3")
        return real(self)

    monkeypatch.setattr(loop.Loop, "run", wild)


def test_a_failed_trial_leaves_the_others_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    diverging(monkeypatch)
    outcome = run(STUDY, monkeypatch)
    assert outcome.exit_code == 1
    roots = [problem for problem in outcome.failed if problem.root]
    assert sorted(problem.node.label for problem in roots) == ["train wild seed 0", "train wild seed 1"]
    assert {problem.reason for problem in outcome.failed} == {"the loss is not a number after step 3"}
    found = runs(outcome.mlflow_run)
    assert {name: one.info.status for name, one in found.items()} == {"plain 0": "FINISHED", "plain 1": "FINISHED", "wild 0": "FAILED", "wild 1": "FAILED"}
    assert found["wild 0"].data.tags["failure"] == "the loss is not a number after step 3"
    assert "**Failed**: the loss is not a number after step 3" in found["wild 0"].data.tags["mlflow.note.content"]
    study = MlflowClient(tracking_uri=tracking_uri()).get_run(outcome.mlflow_run).data.tags
    assert study["trials"] == "2 of 4 finished" and "- **Failed**: wild seed 0, wild seed 1." in study["mlflow.note.content"]
    assert outcome.comparison.arms["wild"] == {} and outcome.comparison.arms["plain"]["utility/accuracy"].n == 2


def test_the_failed_part_is_made_by_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        diverging(broken)
        first = run(STUDY, broken)
    again = run(STUDY, monkeypatch)
    assert again.exit_code == 0 and again.mlflow_run == first.mlflow_run
    assert again.reused == first.made
    found = runs(again.mlflow_run)
    assert {one.info.status for one in found.values()} == {"FINISHED"}
    assert not any("failure" in one.data.tags or "**Failed**" in one.data.tags["mlflow.note.content"] for one in found.values())


def test_an_error_of_the_code_keeps_its_place_and_no_values(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def broken(self: loop.Loop) -> Any:
        secret = "my pin code is 4711"
        raise ZeroDivisionError(f"division of {len(secret)}")

    monkeypatch.setattr(loop.Loop, "run", broken)
    outcome = run(STUDY, monkeypatch)
    reason = outcome.failed[0].reason
    assert reason.startswith("ZeroDivisionError: division of 19 (where: ")
    kept = Path(reason.split("where: ")[1].rstrip(")")).read_text()
    assert "Traceback" in kept and "in broken" in kept and "4711" not in kept.replace('secret = "my pin code is 4711"', "")


def test_a_rule_on_data_refuses_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Rule("TEST-01", lambda facts: facts.get("facts.counts.train", 0) < 1000, "refuse", "too few records", "a test", "data", stage="data")
    monkeypatch.setattr(soundness, "all_rules", lambda: {few.id: few})
    outcome = run(STUDY, monkeypatch)
    assert {problem.reason for problem in outcome.failed} == {"too few records [TEST-01]"}
    assert outcome.made == 1 and outcome.exit_code == 1
    assert {one.info.status for one in runs(outcome.mlflow_run).values()} == {"FAILED"}


def test_a_rule_on_data_labels_runs_and_report(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run({**STUDY, "data": {**STUDY["data"], "public_size": 1000}, "sweep": {}}, monkeypatch)
    assert len(outcome.comparison.labels) == 1 and "[DATA-03] (arms: main)" in outcome.comparison.labels[0]
    assert runs(outcome.mlflow_run)["main 0"].data.tags["labels"] == "DATA-03"


def test_a_trial_that_cannot_be_recorded_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Recorder.log_rows

    def refuse(self: Recorder, run: str, rows: Any) -> None:
        if self.client.get_run(run).data.tags.get("seed") == "1":
            raise MlflowException("the disk is full")
        real(self, run, rows)

    with monkeypatch.context() as broken:
        broken.setattr(Recorder, "log_rows", refuse)
        outcome = run({**STUDY, "sweep": {"seeds": [0, 1]}}, broken)
    assert outcome.exit_code == 1
    assert {name: one.info.status for name, one in runs(outcome.mlflow_run).items()} == {"main 0": "FINISHED", "main 1": "FAILED"}
    again = run({**STUDY, "sweep": {"seeds": [0, 1]}}, monkeypatch)
    assert again.exit_code == 0 and again.made == 0


@pytest.mark.parametrize(("log_models", "logged"), [("all", 4), ("best", 1), ("none", 0)])
def test_models_are_logged_as_asked(monkeypatch: pytest.MonkeyPatch, log_models: str, logged: int) -> None:
    slow = {"seeds": [0, 1], "arms": {"plain": {}, "slow": {"training.optimizer.learning_rate": 1e-6}}}
    outcome = run({**STUDY, "sweep": slow, "execution": {"log_models": log_models}}, monkeypatch)
    client = MlflowClient(tracking_uri=tracking_uri())
    have = [name for name, one in runs(outcome.mlflow_run).items() if client.list_artifacts(one.info.run_id, "model")]
    assert len(have) == logged
    assert log_models != "best" or have[0].startswith("plain")
    best = client.get_run(outcome.mlflow_run).data.tags.get("best_model", "")
    assert best.startswith("plain seed ") if log_models == "best" else not best


def test_a_recorded_model_is_trained_on_and_its_bytes_enter_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run({**STUDY, "sweep": {}}, monkeypatch)
    source = runs(first.mlflow_run)["main 0"].info.run_id
    client = MlflowClient(tracking_uri=tracking_uri())
    client.create_registered_model("assistant")
    client.create_model_version("assistant", f"runs:/{source}/model", source)
    client.set_registered_model_alias("assistant", "champion", "1")
    onward = {**STUDY, "name": "onward", "sweep": {}}
    by_run = run({**onward, "model": {"kind": "mlflow", "run": source}}, monkeypatch)
    by_alias = run({**onward, "model": {"kind": "mlflow", "name": "assistant", "alias": "champion"}}, monkeypatch)
    assert by_run.exit_code == 0 and by_run.made > 0
    assert by_alias.made == 0, "the same bytes by another name were trained again"
    better = by_run.comparison.arms["main"]["utility/loss"].value
    before = first.comparison.arms["main"]["utility/loss"].value
    assert better is not None and before is not None and better < before
