"""Descriptions keep within what MLflow keeps, and quote whatever a study is called as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.narrating import LONGEST, LONGEST_TAG, REST, study_before, study_tags, trial
from pipelines.planning import Plan, make_plan
from specs.loading import load_mapping

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "told",
    "data": {"kind": "synthetic-assistant", "examples": 100, "task": "intent"},
    "model": {"kind": "linear"},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.delenv("ASSAY_STORE", raising=False)


def planned(**changes: Any) -> Plan:
    return make_plan(load_mapping({**STUDY, **changes}))


def test_a_small_study_is_told_whole() -> None:
    text = study_before(planned())
    assert text == "1 trial: 1 arm, seed 0; linear on synthetic-assistant.\n\n- `main` changes nothing in the study as written. Guarantee: none."


def test_grid_points_say_what_they_change() -> None:
    plan = planned(sweep={"arms": {"a": {}, "b": {"training.expected_batch_size": 16}}, "grid": {"training.epochs": [1, 2]}})
    text = study_before(plan)
    assert "- `a[training.epochs=1]` (baseline) changes `training.epochs: 1`." in text
    assert "- `b[training.epochs=2]` changes `training.expected_batch_size: 16`, `training.epochs: 2`." in text


def test_many_arms_are_cut_and_the_rest_is_in_the_report() -> None:
    arms = {f"arm-{index}-{'x' * 40}": {"training.epochs": index + 1} for index in range(200)}
    plan = planned(sweep={"arms": arms})
    text = study_before(plan)
    assert 0.8 * LONGEST < len(text) <= LONGEST and text.endswith(REST) and "arm-0-" in text
    assert all(len(value) <= LONGEST_TAG for value in study_tags(plan).values())


def test_a_failure_is_told_first_and_on_one_line() -> None:
    plan = planned()
    assert "\n\n**Failed**: it broke here\n\n- Changes: " in trial(plan, plan.trials[0], (), failure="it broke\nhere")
    assert "**Failed**" not in trial(plan, plan.trials[0], ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "attacks, no non-members are held out (data.attack_holdout)."),
        ({"data": {**STUDY["data"], "public_size": 60, "attack_holdout": 20}, "attacks": []}, "attacks, none is asked for."),
        ({"fairness": []}, "fairness, none is asked for."),
    ],
)
def test_why_a_family_is_left_out(changes: dict[str, Any], words: str) -> None:
    plan = planned(**changes)
    assert f"- Not measured: {words}" in trial(plan, plan.trials[0], ())
