"""Attacks on whole private federations: the mechanism is tested beside the trial, and an audit's records are devices of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.federated.mechanism_check import CheckFederationConfig
from tasks.federated.population import Population
from tasks.federated.steps import FederateConfig
from tasks.training.noising import NoiseSource
from tests.pipelines.test_privacy_audit import Ran, at, value

ALL = {"kind": "uniform", "design": "poisson"}
STUDY: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "audited-devices",
    "data": {"kind": "synthetic-assistant", "examples": 400, "users": 60, "intents": 4, "task": "intent", "public_size": 310},
    "partition": {"kind": "natural"},
    "model": {"kind": "linear", "bigram_buckets": 1 << 13, "tokenizer": {"kind": "hashing", "buckets": 1 << 13, "max_tokens": 32}},
    "privacy": {"kind": "dp-fedavg", "noise_multiplier": 2**0.5, "delta": 1e-5, "clipping": {"rule": {"kind": "flat", "l2_clip_norm": 0.05}}},
    "federation": {
        "rounds": 2,
        "cohort_size": 310,
        "selection": ALL,
        "correction": {"kind": "equal"},
        "engine": {"kind": "in-process", "layout": "sequential"},
        "client": {"batch_size": 16, "optimizer": {"kind": "sgd", "learning_rate": 0.5}},
    },
    "attacks": [{"kind": "gdp", "canaries": 500}, {"kind": "mechanism", "steps": 2}],
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
}
"""Every device in both rounds: a 1-GDP mechanism, whose epsilon is 4.377."""


def test_a_mechanism_as_it_is_passes_and_does_not_exceed_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, monkeypatch)
    ran = Ran(STUDY, monkeypatch)
    assert ran.outcome.exit_code == 0
    rows = ran.rows("main")
    assert value(rows["epsilon"]) == pytest.approx(4.377, abs=0.01)
    assert value(rows["gdp/exceeds_claim"]) == 0.0 and rows["gdp/exceeds_claim"].conditions["unit"] == "user"
    assert value(rows["mechanism/violations"]) == 0.0 and rows["mechanism/violations"].reason is None
    [trial] = ran.plan.trials
    check = next(node for node in ran.plan.graph if node.step.name == "check-federation")
    assert isinstance(check.config, CheckFederationConfig) and isinstance(trial.graph.model.config, FederateConfig)
    assert check.inputs == trial.graph.model.inputs and check.config.trial == trial.graph.model.config
    [model] = [node for node in ran.plan.graph if node.step.name == "federate" and node is not trial.graph.model]
    data, population = (ran.plan.store.open(model.inputs[name].key) for name in ("data", "population"))
    canaries, names = pd.read_parquet(data / "canaries.parquet"), set(Population.load(population).names)
    assert all((user in names) == included for user, included in zip(canaries["user"], canaries["included"], strict=True))


def test_noise_removed_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, monkeypatch)
    draw = NoiseSource.draw
    monkeypatch.setattr(NoiseSource, "draw", lambda source, name, piece, step, out, deviation: draw(source, name, piece, step, out, 0.0))
    rows = Ran(STUDY, monkeypatch).rows("main")
    assert value(rows["gdp/exceeds_claim"]) == 1.0 and value(rows["gdp/epsilon_lower"]) > 4.4
    assert value(rows["mechanism/violations"]) >= 2.0 and "accounted deviation" in str(rows["mechanism/violations"].reason)


def test_an_audit_whose_records_are_no_devices_is_refused() -> None:
    with pytest.raises(SpecErrors, match="each record of an audit must be a device of its own"):
        load_mapping({**STUDY, "partition": {"kind": "natural", "minimum_examples": 2}})


def test_an_audit_of_devices_by_activity_says_whose_rate_it_bounds() -> None:
    active = {"kind": "activity-proportional", "design": "poisson", "activity_cap": 20, "public_activity": 3600}
    found = load_mapping({**STUDY, "federation": {**STUDY["federation"], "cohort_size": 60, "selection": active}})
    assert "FED-55" in {label.finding.rule.id for label in found.labels}
