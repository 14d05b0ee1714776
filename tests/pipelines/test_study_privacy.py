"""What a whole study spends is every private training composed once, and what a plan says of each trial is what the run records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dp_accounting as dp
import pytest
from dp_accounting.pld import PLDAccountant

from pipelines.describing import plan_json
from pipelines.planning import Plan, make_plan
from pipelines.studyprivacy import study_privacy, study_rows
from specs.loading import load_mapping
from tasks.comparison.comparison import StudyPrivacy

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "composed",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent", "public_size": 1000},
    "model": {"kind": "linear"},
    "training": {"epochs": 5, "expected_batch_size": 50},
    "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0},
    "fairness": [],
}
DELTA = 1e-4


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.delenv("ASSAY_STORE", raising=False)


def planned(**changes: Any) -> Plan:
    return make_plan(load_mapping({**STUDY, **changes}))


def spent(**changes: Any) -> StudyPrivacy:
    found = study_privacy(planned(**changes))
    assert found is not None
    return found


def by_hand(*runs: tuple[float, int]) -> float:
    """Each (noise multiplier, steps) composed one after the other, by dp-accounting."""
    accountant = PLDAccountant()
    for sigma, steps in runs:
        accountant.compose(dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(0.05, dp.GaussianDpEvent(sigma)), steps))
    return float(accountant.get_epsilon(DELTA))


def test_all_arms_and_seeds_are_composed() -> None:
    arms = {"plain": {"privacy": {"kind": "none"}}, "low": {}, "high": {"privacy.noise_multiplier": 2.0}}
    found = spent(sweep={"arms": arms, "seeds": [0, 1, 2]})
    assert (found.trials, found.uncovered) == (6, 3) and found.delta == pytest.approx(DELTA)
    assert found.epsilon == pytest.approx(by_hand((1.0, 300), (2.0, 300)), rel=1e-3)
    assert found.epsilon is not None and found.epsilon > by_hand((1.0, 300))  # forgetting an arm would be seen
    assert "All 6 private trainings" in found.sentence and "3 trainings without privacy are covered by no guarantee" in found.sentence


def test_one_training_spends_its_own_epsilon() -> None:
    found = spent()
    account = planned().trials[0].trial.study.account()
    assert account is not None and found.trials == 1 and found.epsilon == pytest.approx(account.epsilon)


def test_a_training_that_two_arms_share_counts_once() -> None:
    found = spent(sweep={"arms": {"a": {}, "b": {"utility": [{"kind": "macro-f1"}]}}})
    assert found.trials == 1 and found.epsilon == pytest.approx(by_hand((1.0, 100)), rel=1e-3)


def test_unlike_adjacencies_do_not_compose() -> None:
    found = spent(sweep={"arms": {"a": {}, "b": {"privacy.adjacency": "zero-out"}}})
    assert found.epsilon is None and "do not compose" in found.sentence
    (row,) = study_rows(found)
    assert row.value is None and row.status == "undefined"


def test_a_study_without_privacy_spends_nothing() -> None:
    assert study_privacy(planned(privacy={"kind": "none"})) is None and study_rows(None) == ()


def test_a_plan_tells_what_each_trial_will_spend() -> None:
    plan = planned(sweep={"arms": {"plain": {"privacy": {"kind": "none"}}, "private": {}}})
    plain, private = (trial["privacy"] for trial in plan_json(plan)["trials"])
    assert plain is None
    assert {name: private[name] for name in ("unit", "adjacency", "sampler", "accountant")} == {
        "unit": "example",
        "adjacency": "add-remove",
        "sampler": "poisson",
        "accountant": "pld",
    }
    assert private["epsilon"] == pytest.approx(by_hand((1.0, 100)), rel=1e-3) and private["delta"] == pytest.approx(DELTA)
    assert private["noise_multiplier"] == 1.0 and private["guarantee"].startswith("simulated: example-level (")
