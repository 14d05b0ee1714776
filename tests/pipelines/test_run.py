"""The real command on a small study: what it prints, records, reuses and mends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.pipelines.faults import CHECKOUT, Home, numbers
from tests.pipelines.watching import connections, outbound, watched

STUDY = """
kind: dp-training
name: small
question: Is it the same twice?
data: {kind: synthetic-assistant, examples: 400, task: joint}
fairness: []
model: {kind: bilstm, hidden_size: 8, embedding_size: 8}
training: {epochs: 2, optimizer: {kind: adamw, learning_rate: 0.02}}
sweep:
  seeds: [0, 1]
  arms: {plain: {}, faster: {training.optimizer.learning_rate: 0.05}}
claims:
  - {id: faster-is-better, says: A higher rate is better, metric: utility/accuracy, arm: faster, versus: plain, better: true}
gates:
  - {metric: utility/accuracy, at_least: 0.0, of: worst}
execution: {processes: 2}
"""


class Ran:
    """A home in which the small study ran once, watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home", watched(folder))
        self.study = folder / "small.yaml"
        self.study.write_text(STUDY)
        self.code, self.out, self.err = self.home.run("run", str(self.study))
        self.result = self.home.result(self.study)

    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=f"sqlite:///{self.home.folder}/mlruns/mlflow.db")

    def children(self) -> list[Run]:
        parent = self.result["mlflow_run"]
        experiment = self.client().get_experiment_by_name("small")
        assert experiment is not None
        return list(self.client().search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("run"))


def test_the_terminal_shows_numbers_answers_and_where_to_look(ran: Ran) -> None:
    assert ran.code == 0, ran.err
    for wanted in (
        "accuracy",
        "slot F1",
        "train seconds",
        "claim faster-is-better",
        "gate: Passed",
        "steps: 21 made, 0 reused",
        "report: ",
        "records: MLflow run",
        "browse: assay up",
    ):
        assert wanted in ran.out, wanted
    assert "Traceback" not in ran.err


def test_the_json_has_the_words_of_the_spec_language(ran: Ran) -> None:
    assert {"study", "arms", "differences", "claims", "gates", "report", "mlflow_run"} <= ran.result.keys()
    accuracy = ran.result["arms"]["plain"]["utility/accuracy"]
    assert {"value", "low", "high", "n", "interval", "status"} <= accuracy.keys()
    assert accuracy["interval"] == "runs" and accuracy["n"] == 2
    assert ran.result["claims"][0]["verdict"] == "descriptive" and ran.result["claims"][0]["p"] is None
    assert Path(ran.result["report"]).read_text().startswith("<!doctype html>")


def test_every_trial_is_a_child_run_with_its_conditions(ran: Ran) -> None:
    children = ran.children()
    assert sorted((run.data.tags["arm"], run.data.tags["seed"]) for run in children) == [("faster", "0"), ("faster", "1"), ("plain", "0"), ("plain", "1")]
    for run in children:
        metrics, tags = run.data.metrics, run.data.tags
        assert run.info.status == "FINISHED"
        assert metrics["utility/accuracy_low"] <= metrics["utility/accuracy"] <= metrics["utility/accuracy_high"]
        assert {"utility/slot_f1", "utility/loss", "cost/train_seconds", "cost/examples_per_second", "cost/peak_memory_mib", "train/loss"} <= metrics.keys()
        assert tags["guarantee"] == "none" and tags["fairness"] == "not measured" and tags["attacks"] == "not measured"
        assert len(tags["data_digest"]) == 32 and tags["produced_by"] == run.info.run_id
        assert run.data.params["model.hidden_size"] == "8"
        files = {file.path for file in ran.client().list_artifacts(run.info.run_id, "model")}
        assert {"model/config.json", "model/model.safetensors", "model/privacy.json", "model/labels.json", "model/data.json"} <= files


def test_the_parent_run_holds_the_spec_and_the_comparison(ran: Ran) -> None:
    client, parent = ran.client(), ran.result["mlflow_run"]
    run = client.get_run(parent)
    assert run.info.status == "FINISHED" and run.data.tags["git_commit"] and run.data.tags["version.torch"]
    found = {file.path for place in ("study", "comparison") for file in client.list_artifacts(parent, place)}
    assert {
        "study/study.yaml",
        "study/resolved.json",
        "comparison/comparison.json",
        "comparison/comparison.csv",
        "comparison/trials.csv",
        "comparison/report.html",
    } <= found
    assert Path(client.download_artifacts(parent, "study/study.yaml")).read_text() == STUDY


def test_a_finished_study_trains_nothing_and_reopens_its_run(ran: Ran) -> None:
    before = ran.home.artifacts()
    code, out, _ = ran.home.run("run", str(ran.study))
    assert code == 0 and "steps: 0 made, 21 reused" in out
    assert ran.result["mlflow_run"] in out
    assert ran.home.artifacts() == before
    assert len(ran.children()) == 4


@pytest.mark.slow
def test_new_makes_another_submission(ran: Ran) -> None:
    again = ran.home.result(ran.study, "--new")
    assert again["mlflow_run"] != ran.result["mlflow_run"]
    assert numbers(again) == numbers(ran.result)


@pytest.mark.slow
def test_one_process_and_two_give_equal_numbers(ran: Ran, tmp_path: Path) -> None:
    alone = Home(tmp_path / "home").result(ran.study, "--processes", "1")
    assert numbers(alone) == numbers(ran.result)


@pytest.mark.slow
def test_damaged_artifacts_are_made_again(ran: Ran) -> None:
    shelf = ran.home.folder / "mlruns" / "store" / "artifacts"
    tampered, deleted, *_ = sorted(shelf.glob("*/model.safetensors"))
    tampered.write_bytes(tampered.read_bytes()[:-1] + b"\x00")
    deleted.unlink()
    code, out, _ = ran.home.run("run", str(ran.study))
    assert code == 0 and "steps: 2 made, 19 reused" in out
    code, out, _ = ran.home.run("compare", "small", "--json")
    assert code == 0 and numbers(json.loads(out)) == numbers(ran.result)


def test_nothing_but_this_machine_is_asked(ran: Ran) -> None:
    assert connections(ran.folder), "the watch saw no connection at all, not even to the embedded server"
    assert outbound(ran.folder) == []


@pytest.mark.slow
def test_the_recorded_study_can_be_read_again(ran: Ran, tmp_path: Path) -> None:
    code, out, _ = ran.home.run("compare", "small", "--json")
    assert code == 0 and numbers(json.loads(out)) == numbers(ran.result)
    code, out, _ = ran.home.run("report", "small", "--out", str(tmp_path / "r.html"))
    assert code == 0 and (tmp_path / "r.html").stat().st_size > 10_000
    code, _, err = ran.home.run("compare", "smal")
    assert code == 2 and "did you mean 'small'?" in err
    code, out, _ = ran.home.run("plan", str(ran.study), "--json")
    plan: dict[str, Any] = json.loads(out)
    assert code == 0 and all(step["reused"] for trial in plan["trials"] for step in trial["steps"])
    assert {"arm", "seed", "key", "seconds_estimate", "steps", "privacy"} == plan["trials"][0].keys()


def test_the_spec_of_another_folder_is_found_from_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path, {"ASSAY_HOME": str(CHECKOUT)})
    code, out, err = home.run("validate", "specs/quickstart.yaml")
    assert code == 0 and re.search(r"valid dp-training study 'quickstart', 9 trials", out), err
