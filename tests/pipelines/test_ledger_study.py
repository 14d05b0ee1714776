"""Studies and the ledger: what is charged, what is not, and what is refused before it trains."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.lifetimes import forecasts
from pipelines.planning import make_plan
from specs.loading import load_mapping
from tasks.privacy.ledger.database import opened
from tasks.privacy.ledger.ledger import Ledger, open_ledger
from tasks.privacy.ledger.spent import Budget
from tests.pipelines import inline
from tests.pipelines.faults import Home, wait_for
from tests.pipelines.test_secret import STUDY

NAMED: dict[str, Any] = {**STUDY, "data": {**STUDY["data"], "population": "people"}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ASSAY_LEDGER", raising=False)
    inline.at(tmp_path, monkeypatch)
    return tmp_path


def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(entry.population, entry.action) for entry in ledger.entries()]


def test_a_secret_training_is_charged_and_its_reuse_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first = inline.run(NAMED, monkeypatch)
    assert told(open_ledger()) == [("people", "reserve"), ("people", "commit")]
    [lifetime] = first.comparison.lifetimes
    assert lifetime.trainings == 1 and lifetime.epsilon == pytest.approx(first.comparison.arms["main"]["privacy/epsilon"].value)
    assert "there already" not in lifetime.sentence
    [again] = inline.run(NAMED, monkeypatch).comparison.lifetimes
    assert len(told(open_ledger())) == 2 and "1 training of this study was there already and spent nothing now" in again.sentence
    [new] = inline.run(NAMED, monkeypatch, new=True).comparison.lifetimes
    assert new.trainings == 2 and new.epsilon is not None and again.epsilon is not None and again.epsilon < new.epsilon < 2 * again.epsilon


def test_a_training_that_is_made_again_is_charged_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline.run(NAMED, monkeypatch)
    [weights] = home.glob("mlruns/store/artifacts/*/model.safetensors")
    weights.write_bytes(b"damaged")
    inline.run(NAMED, monkeypatch)
    assert told(open_ledger()) == [("people", "reserve"), ("people", "commit")] * 2


def test_what_no_guarantee_covers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    inline.run(NAMED, monkeypatch)
    [simulated] = inline.run({**NAMED, "randomness": "reproducible"}, monkeypatch).comparison.lifetimes
    assert simulated.epsilon is None and "not a guarantee: 1 uncovered training" in simulated.sentence
    plain = {**NAMED, "randomness": "reproducible", "privacy": {"kind": "none"}}
    [both] = inline.run(plain, monkeypatch).comparison.lifetimes
    assert "not a guarantee: 2 uncovered trainings" in both.sentence and "The private trainings alone come to epsilon" in both.sentence


def test_nobody_is_charged_for_unnamed_people_without_a_guarantee(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inline.run({**STUDY, "randomness": "reproducible"}, monkeypatch).comparison.lifetimes == ()
    assert not (home / "mlruns" / "ledger.db").exists()


def test_a_training_past_the_budget_is_refused_before_it_begins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ledger().set_budget("people", Budget(0.5, 1e-5))
    outcome = inline.run(NAMED, monkeypatch)
    assert outcome.exit_code == 1
    [problem] = [failed for failed in outcome.failed if failed.root]
    assert "its budget is epsilon 0.5" in problem.reason and "is left" in problem.reason and "it was not begun" in problem.reason
    assert told(open_ledger()) == [("people", "budget")] and not list(home.glob("mlruns/store/artifacts/*/model.safetensors"))


def test_without_a_ledger_nothing_that_it_should_know_of_begins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_LEDGER", f"sqlite:///{home / 'no' / 'folder'}")
    (home / "no").write_text("a file")
    outcome = inline.run(NAMED, monkeypatch)
    assert outcome.exit_code == 1 and not list(home.glob("mlruns/store/artifacts/*/model.safetensors"))


def test_a_plan_says_what_its_trainings_will_spend(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(load_mapping({**NAMED, "sweep": {"seeds": [0, 1]}}))
    [said] = forecasts(plan)
    assert said.startswith("ledger: population 'people': so far nothing spent; after the 2 private trainings of this plan example-level (")
    one = plan.trials[0].trial.study.account()
    assert one is not None
    open_ledger().set_budget("people", Budget(one.epsilon + 1e-3, one.delta))
    [refused] = forecasts(plan)
    assert "training 2 of 2 will be refused: population 'people': its budget is epsilon" in refused
    inline.run(NAMED, monkeypatch)
    assert forecasts(make_plan(load_mapping(NAMED))) == []  # all is there
    assert forecasts(make_plan(load_mapping({**NAMED, "randomness": "reproducible"}))) == []


LONG: dict[str, Any] = {
    **NAMED,
    "name": "long",
    "data": {**NAMED["data"], "examples": 4000, "public_size": 3200},
    "training": {"epochs": 40, "expected_batch_size": 64},
    "execution": {"processes": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
def test_a_killed_training_is_charged_once_unless_its_checkpoint_is_lost(lost: bool, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    study = tmp_path / "long.yaml"
    study.write_text(json.dumps(LONG))
    process = home.start("run", str(study), "--json")
    unfinished = home.folder / "mlruns" / "store" / "unfinished"
    assert wait_for(lambda: list(unfinished.glob("*/checkpoint/training/step-*")), 200)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert wait_for(lambda: not pooled(home.folder), 30)
    ledger = Ledger(opened(f"sqlite:///{home.folder / 'mlruns' / 'ledger.db'}"))
    assert told(ledger) == [("people", "reserve")]
    if lost:
        for folder in unfinished.iterdir():
            shutil.rmtree(folder)
    [lifetime] = home.result(study)["lifetimes"]
    assert told(ledger) == [("people", "reserve")] * (2 if lost else 1) + [("people", "commit")]
    assert lifetime["trainings"] == (2 if lost else 1) and ("1 of them began and did not end" in lifetime["sentence"]) is lost


def pooled(home: Path) -> list[psutil.Process]:
    """Processes that still work in a home."""
    return [found for found in psutil.process_iter(["environ"]) if (found.info["environ"] or {}).get("ASSAY_HOME") == str(home)]
