"""Specs of retraining audits: what is refused, with the line that says what to do, and what the study becomes that is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from specs.errors import SpecErrors
from specs.loading import load, load_mapping
from specs.schemas.retraining_audit import RetrainingAuditStudy
from tests.pipelines.nights.auditing import audit, trained


def study(values: dict[str, Any]) -> RetrainingAuditStudy:
    found = load_mapping(values).study
    assert isinstance(found, RetrainingAuditStudy)
    return found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gates": []}, "gates: at least one is needed"),
        ({"gates": [{"metric": "utility/accuracy", "at_least": 0.1, "arms": ["main"]}]}, "gates[0].arms: leave it out"),
        ({"gates": [{"metric": "utility/acuracy", "at_least": 0.1}]}, "no trial records 'utility/acuracy'"),
        ({"sweep": {"seeds": [0, 1]}}, "sweep: is no part of a retraining audit"),
        ({"study": trained(randomness="reproducible")}, "randomness must be 'secret'"),
        ({"randomness": "reproducible"}, "must be 'secret'"),
        ({"study": trained(privacy={"kind": "none"})}, "STUDY-01"),
        ({"study": trained(sweep={"seeds": [0, 1]})}, "must have one arm and one seed, for one model is trained a night (got 2 trials)"),
        ({"study": trained(training={"epoch": 3})}, "study.training.epoch: unknown key; did you mean 'epochs'?"),
        ({"study": 7}, "must be a study's file, or a study"),
        ({"study": "nowhere.yaml"}, "no such file: nowhere.yaml"),
        ({"study": audit()}, "must be a study that trains"),
        ({"snapshot": {"kind": "replay", "nights": [{"seed": 1}, {"sed": 1}]}}, "snapshot.nights[1]: snapshot: data.sed"),
        ({"snapshot": {"kind": "window", "by": "time", "last": "soon"}}, "snapshot.last"),
        ({"notify": {"webhook": "https://example.org/secret"}}, "must name a variable of the environment, ${NAME}"),
        ({"budget": {"epsilon": 0, "delta": 1e-5}}, "budget.epsilon: must be greater than 0"),
        ({"population": "a b"}, "population"),
        ({"execution": {"log_models": "none"}}, "an audit logs and registers its models itself"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        load_mapping(audit(**changes))
    lines = [str(error) for error in caught.value.errors]
    assert any(said in line for line in lines), lines
    assert all("\n" not in line and "example.org" not in line for line in lines)


def test_a_study_in_a_file_is_found_beside_the_audit_and_its_errors_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(yaml.safe_dump(trained()))
    (tmp_path / "audit.yaml").write_text(yaml.safe_dump(audit(study="inner.yaml")))
    found = load(tmp_path / "audit.yaml").study
    assert isinstance(found, RetrainingAuditStudy) and found.study.name == "inner"
    (tmp_path / "inner.yaml").write_text("kind: dp-training\nname: inner\nmodel: {kind: linear}\n")
    with pytest.raises(SpecErrors, match=r"study: .*inner\.yaml:1:1: data: "):
        load(tmp_path / "audit.yaml")


def test_what_the_audit_says_replaces_what_the_study_says() -> None:
    inner = trained(data={**trained()["data"], "population": "others", "attack_holdout": 100}, gates=[{"metric": "utility/accuracy", "at_least": 0.9}])
    found = study(audit(study=inner, public_size=450, fairness=[{"kind": "accuracy-gap"}]))
    assert (found.data.population, found.data.public_size) == ("people", 450) and found.trained.gates == ()
    assert [metric.kind for metric in found.attacks] == ["loss-threshold"] and [metric.kind for metric in found.fairness] == ["accuracy-gap"]
    names = found.metrics()
    assert "fairness/accuracy" in names and "privacy/loss_threshold" in names and "utility/accuracy" in names
    assert found.account() == found.trained.account() and found.account() is not None


def test_the_resolved_spec_is_a_spec_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_TEST_HOOK", "https://example.org/hidden")
    found = study(audit(notify={"webhook": "${ASSAY_TEST_HOOK}"}))
    text = found.model_dump_json()
    assert "hidden" not in text and study(json.loads(text)) == found


def test_what_is_not_trained_changes_nothing_of_the_training() -> None:
    key = study(audit()).submission_key()
    assert study(audit(gates=[{"metric": "utility/accuracy", "at_least": 0.9}], budget={"epsilon": 9, "delta": 1e-6})).submission_key() == key
    assert study(audit(study=trained(training={"epochs": 5}))).submission_key() != key
