"""Whole private federations: the guarantee of a trial, what is charged, and what a secret training keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.planning import make_plan
from specs.loading import load_mapping
from tasks.core.measures import Measures, Row
from tasks.federated.federating import LOG, SCORES
from tasks.privacy.ledger.ledger import open_ledger
from tests.pipelines import inline
from tests.pipelines.metric_names import unfit

ACTIVE = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 20, "public_activity": 600}
STUDY: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "private-devices",
    "data": {"kind": "synthetic-assistant", "examples": 600, "users": 60, "task": "intent", "public_size": 60, "population": "people"},
    "partition": {"kind": "natural"},
    "model": {"kind": "linear", "bigram_buckets": 64, "tokenizer": {"kind": "hashing", "buckets": 128, "max_tokens": 16}},
    "privacy": {"kind": "dp-fedavg", "noise_multiplier": 1.0, "delta": 0.001},
    "federation": {
        "rounds": 4,
        "cohort_size": 12,
        "selection": ACTIVE,
        "correction": {"kind": "equal"},
        "engine": {"kind": "in-process", "layout": "sequential"},
        "client": {"batch_size": 8, "optimizer": {"kind": "sgd", "learning_rate": 0.5}},
    },
    "evaluation": {"kind": "central", "every": 2, "target": 0.0},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ASSAY_LEDGER", raising=False)
    inline.at(tmp_path, monkeypatch)
    return tmp_path


def ended(values: dict[str, Any]) -> tuple[Path, dict[str, Row]]:
    """The model artifact and the rows of the one trial."""
    plan = make_plan(load_mapping(values))
    [planned] = plan.trials
    rows = {row.name: row for node in planned.graph.measured for row in Measures.load_rows(plan.store.open(node.key))}
    return plan.store.open(planned.graph.model.key), rows


def test_a_trial_tells_its_guarantee_and_what_each_decile_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = inline.run(STUDY, monkeypatch)
    folder, rows = ended(STUDY)
    account = json.loads((folder / "privacy.json").read_text())
    assert account["guarantee"].startswith("simulated: user-level (") and account["divisor"] == 12
    assert account["participation"]["largest_rate"] == pytest.approx(0.4)
    assert not [name for name in rows if unfit(name)]
    promised = make_plan(load_mapping(STUDY)).trials[0].trial.study.metrics()
    assert not [name for name in promised if name != "federated/capped_weights" and not any(row.startswith(name) for row in rows)]
    epsilon, decile = rows["privacy/epsilon"].value, rows["privacy/epsilon/decile_1"].value
    assert epsilon == account["epsilon"] and epsilon is not None and decile is not None and decile < epsilon
    assert (folder / LOG).exists() and rows["federated/coverage"].value is not None
    assert outcome.comparison is not None
    [lifetime] = outcome.comparison.lifetimes
    assert lifetime.population == "people" and lifetime.epsilon is None


def test_a_secret_training_is_charged_and_tells_nothing_of_who_was_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {**STUDY, "randomness": "secret"}
    outcome = inline.run(secret, monkeypatch)
    assert outcome.comparison is not None
    [(_, guarantee)] = outcome.comparison.guarantees.items()
    assert guarantee.startswith("user-level (")
    assert [(entry.population, entry.action) for entry in open_ledger().entries()] == [("people", "reserve"), ("people", "commit")]
    folder = next(home.glob("mlruns/store/artifacts/*/privacy.json")).parent
    assert (folder / SCORES).exists() and not (folder / LOG).exists()
    rows = {row.name: row for row in Measures.load_rows(folder)}
    for name in ("federated/coverage", "federated/participation_gini", "cost/uploaded_mib", "cost/device_flops"):
        assert rows[name].value is None and "who was asked" in str(rows[name].reason)
    assert rows["privacy/epsilon"].conditions["status"] == "guarantee"
