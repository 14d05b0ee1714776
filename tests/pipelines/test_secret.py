"""Secret randomness through a whole run: its work belongs to one submission, is resumed and never shared, and its key does not outlive it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pipelines.collecting import collect
from pipelines.outcome import Outcome
from pipelines.planning import Plan, make_plan
from pipelines.submissions import NOT_BEGUN
from specs.loading import load_mapping
from tests.pipelines import inline

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "secret",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent", "public_size": 160},
    "model": {"kind": "linear"},
    "training": {"epochs": 2, "expected_batch_size": 32},
    "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0},
    "randomness": "secret",
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def planned(**changes: Any) -> Plan:
    return make_plan(load_mapping({**STUDY, **changes}))


def weights(plan: Plan) -> dict[str, Any]:
    return dict(load_file(plan.store.open(plan.trials[0].graph.model.key) / "model.safetensors"))


def test_the_same_command_trains_nothing_and_new_trains_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: Outcome = inline.run(STUDY, monkeypatch)
    assert first.made == 4 and not first.failed
    before = weights(planned())
    assert inline.run(STUDY, monkeypatch).made == 0
    again = inline.run(STUDY, monkeypatch, new=True)
    assert again.made == 3  # all but the prepared data
    assert not all(value.equal(weights(planned())[name]) for name, value in before.items())


def test_another_study_shares_the_data_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline.run(STUDY, monkeypatch)
    assert inline.run({**STUDY, "name": "twin"}, monkeypatch).made == 3
    shared = {**STUDY, "randomness": "reproducible"}
    inline.run(shared, monkeypatch)
    assert inline.run({**shared, "name": "third"}, monkeypatch).made == 0  # reproducible work is shared


def test_no_key_and_no_loss_is_left_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline.run(STUDY, monkeypatch)
    assert not list(home.rglob("secret.key*"))
    model = planned().store.open(planned().trials[0].graph.model.key)
    series = (model / "metrics.jsonl").read_text()
    assert "train/learning_rate" in series and "train/loss" not in series
    inline.run({**STUDY, "randomness": "reproducible"}, monkeypatch)
    plan = planned(randomness="reproducible")
    assert "train/loss" in (plan.store.open(plan.trials[0].graph.model.key) / "metrics.jsonl").read_text()


def test_a_plan_begins_no_submission(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    assert plan.graph.submission == NOT_BEGUN and not (plan.store.local / "submissions").exists()
    inline.run(STUDY, monkeypatch)
    begun = planned().graph.submission
    assert begun is not None and begun != NOT_BEGUN
    assert planned(randomness="reproducible").graph.submission is None


def test_the_guarantee_is_one_and_the_simulated_is_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = inline.run(STUDY, monkeypatch).comparison.guarantees["main"]
    simulated = inline.run({**STUDY, "randomness": "reproducible"}, monkeypatch).comparison.guarantees["main"]
    assert secret.startswith("example-level (") and simulated == f"simulated: {secret}"
    plan = planned()
    record = json.loads((plan.store.open(plan.trials[0].graph.model.key) / "privacy.json").read_text())
    assert record["guarantee"] == secret and record["randomness"] == "secret" and "not cryptographic" in record["generator"]


def test_a_kill_between_commit_and_clean_up_leaves_no_key_for_long(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run of the study, which makes nothing, takes the leftover away; so does a collection."""
    inline.run(STUDY, monkeypatch)
    plan = planned()
    for clean_up in (lambda: inline.run(STUDY, monkeypatch), lambda: collect(plan.store, [], dry_run=False)):
        left = plan.store.scratch(plan.trials[0].graph.model.key) / "checkpoint"
        left.mkdir(parents=True)
        (left / "secret.key").write_text("f00d")
        clean_up()
        assert not list(home.rglob("secret.key*")) and plan.store.intact(plan.trials[0].graph.model.key)
