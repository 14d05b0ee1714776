"""Which model is registered, and when none is: by one number, measured alike, of an arm that no gate fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipelines import registering
from pipelines.coordinator import RecordsLost
from pipelines.planning import PlannedTrial, make_plan
from pipelines.registering import Choice, Recorded, best
from specs.loading import load_mapping
from tasks.core.measures import Row
from tasks.core.places import tracking_uri
from tests.pipelines.inline import run

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "registered",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1},
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
    "sweep": {"arms": {"plain": {}, "slow": {"training.optimizer.learning_rate": 1e-6}}},
    "execution": {"log_models": "none", "register_model": {"name": "assistant"}},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def trial(planned: PlannedTrial, *rows: Row) -> Recorded:
    return Recorded(planned, f"run of {planned.name}", {row.name: row for row in rows}, {"digest": "d"}, ())


def row(value: float | None, name: str = "utility/accuracy", direction: str = "higher", data: str = "d1") -> Row:
    missing = {"status": "undefined", "reason": "no records"} if value is None else {}
    return Row.model_validate({"name": name, "value": value, "direction": direction, "conditions": {"data": data}, **missing})


def chosen(trials: list[Recorded]) -> Choice:
    found = best(trials)
    assert isinstance(found, Choice), found
    return found


def test_the_best_is_best_by_the_first_metric_that_has_a_direction() -> None:
    first, second = make_plan(load_mapping(STUDY)).trials
    assert chosen([trial(first, row(0.5)), trial(second, row(0.9))]).trial.planned is second
    assert chosen([trial(first, row(0.9)), trial(second, row(0.9))]).trial.planned is first
    lower = chosen([trial(first, row(0.5, "utility/loss", "lower")), trial(second, row(0.9, "utility/loss", "lower"))])
    assert lower.trial.planned is first and lower.words == "the lowest utility/loss of 2 trials, 0.500"
    later = (row(0.1, "utility/size", "none"), row(9.0, "utility/loss", "lower"))
    assert (
        chosen([trial(first, *later, row(0.9)), trial(second, row(0.1, "utility/size", "none"), row(1.0, "utility/loss", "lower"), row(0.1))]).trial.planned
        is second
    )


def test_a_trial_without_the_number_is_not_chosen() -> None:
    first, second = make_plan(load_mapping(STUDY)).trials
    found = chosen([trial(first, row(None)), trial(second, row(0.1))])
    assert found.trial.planned is second and found.words == "the only trial with a utility/accuracy, 0.100"
    assert best([trial(first, row(None))]) == best([trial(first, row(0.9, "privacy/epsilon", "lower"))]) == best([]) == "no finished trial has a utility metric"


def test_numbers_under_unlike_conditions_choose_nothing() -> None:
    first, second = make_plan(load_mapping(STUDY)).trials
    assert best([trial(first, row(0.5, data="d1")), trial(second, row(0.9, data="d2"))]) == (
        "utility/accuracy was measured under unlike conditions (data), so none is the best"
    )


def test_without_an_arm_the_best_of_all_is_registered_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(STUDY, monkeypatch)
    assert outcome.registered is not None and outcome.registered.sentence == "registered: assistant version 1 (plain seed 0, none)"
    client = MlflowClient(tracking_uri=tracking_uri())
    version = client.get_model_version("assistant", "1")
    assert "epsilon" not in version.tags and str(version.description).startswith("Guarantee: none.") and version.tags["labels"] == "none"
    assert {"model/model.safetensors", "model/privacy.json"} <= {file.path for file in client.list_artifacts(str(version.run_id), "model")}


def test_a_model_whose_arm_fails_a_gate_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = {"metric": "utility/accuracy", "at_least": 1.0, "of": "mean"}
    outcome = run({**STUDY, "gates": [{**gate, "arms": ["plain"]}]}, monkeypatch)
    assert outcome.registered is not None and outcome.registered.version is None and outcome.exit_code == 1
    assert outcome.registered.sentence.startswith("not registered: assistant: the best trial, plain seed 0, is of an arm that a gate fails (Failed: ")
    client = MlflowClient(tracking_uri=tracking_uri())
    assert client.search_registered_models() == []
    assert "Not registered: assistant" in client.get_run(outcome.mlflow_run).data.tags["mlflow.note.content"]
    other = run({**STUDY, "name": "other", "gates": [{**gate, "arms": ["slow"]}]}, monkeypatch)
    assert other.registered is not None and other.registered.version == "1" and other.exit_code == 1


def test_no_finished_trial_of_the_arm_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {**STUDY["data"], "examples": 100}
    outcome = run({**STUDY, "data": few, "utility": [{"kind": "accuracy", "minimum_items": 1000}], "sweep": {}}, monkeypatch)
    assert outcome.registered is not None and outcome.registered.sentence == "not registered: assistant: no finished trial has a utility metric"
    assert outcome.exit_code == 1 and not outcome.failed


def test_a_registry_that_fails_is_a_failure_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(wanted: Any) -> str:
        raise MlflowException("the registry is full")

    with monkeypatch.context() as broken:
        broken.setattr(registering, "register", refuse)
        with pytest.raises(RecordsLost, match="the registry is full"):
            run(STUDY, broken)
    again = run(STUDY, monkeypatch)
    assert again.made == 0 and again.registered is not None and again.registered.version == "1"


def test_where_a_model_goes_changes_no_key() -> None:
    plan = make_plan(load_mapping(STUDY))
    assert make_plan(load_mapping({**STUDY, "execution": {}})).study_key == plan.study_key
    assert make_plan(load_mapping({**STUDY, "training": {"epochs": 2}})).study_key != plan.study_key
