"""Nights of a retraining audit: what is trained, charged, compared, decided, and what is said where something is not as it should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.arranging import Arranged, Skipped, arrange
from pipelines.cli.report import _with_later_nights
from pipelines.outcome import Outcome
from specs.loading import load_mapping
from tasks.comparison import files, steps
from tasks.core.errors import UserError
from tasks.privacy.ledger.ledger import open_ledger
from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.registry import alias_run
from tests.pipelines import inline
from tests.pipelines.faults import CHECKOUT
from tests.pipelines.nights.auditing import MODEL, PEOPLE, audit, champion, charged, history, replaying, trained


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ASSAY_LEDGER", raising=False)
    inline.at(tmp_path, monkeypatch)
    return tmp_path


def ran(study: dict[str, Any], monkeypatch: pytest.MonkeyPatch, new: bool = False) -> Outcome:
    outcome = inline.night(study, monkeypatch, new)
    assert isinstance(outcome, Outcome), outcome
    return outcome


def arranged(study: dict[str, Any]) -> Arranged:
    found = arrange(load_mapping(study), begin=True)
    assert isinstance(found, Arranged)
    return found


def recorded(outcome: Outcome) -> None:
    """MLflow holds the decision, the night and what made the version."""
    run = open_client().get_run(outcome.mlflow_run)
    assert run.data.tags["decision"] == "promoted" and run.data.tags["night"] == "1"
    night = json.loads(history()[0].spec)["night"]
    assert night["data"]["seed"] == 1 and night["data"]["population"] == PEOPLE
    version = open_client().get_model_version_by_alias(MODEL, "champion")
    assert version.tags["night"] == "1" and "Promoted by **nightly**, night 1" in str(version.description) and "NIGHT-03" in version.tags["labels"]


def only_measured(outcome: Outcome) -> None:
    """The champion was neither trained nor charged."""
    spent = outcome.comparison.study_privacy
    assert spent is not None and (spent.trials, spent.uncovered) == (1, 0)
    assert outcome.comparison.guarantees["champion"] == outcome.comparison.guarantees["candidate"]
    assert "privacy/epsilon" not in outcome.comparison.arms["champion"]


def test_nights_are_trained_charged_compared_and_promoted_until_there_is_no_new_data(monkeypatch: pytest.MonkeyPatch) -> None:
    study = audit(snapshot=replaying({"seed": 1}, {"seed": 2}))
    first = ran(study, monkeypatch)
    assert first.exit_code == 0 and list(first.comparison.arms) == ["candidate"]
    assert [night.decision for night in history()] == ["promoted"] and "there is no champion yet" in first.comparison.gates[1].sentence
    moved = champion()
    assert moved is not None and moved.version == 1 and alias_run(MODEL, "champion") == moved.run
    recorded(first)
    second = ran(study, monkeypatch)
    assert list(second.comparison.arms) == ["candidate", "champion"] and second.comparison.baseline == "champion"
    [gate] = [gate for gate in second.comparison.gates if "champion" in gate.bound]
    assert gate.passed and "shared items" in gate.sentence and gate.value is not None
    accuracy = {arm: values["utility/accuracy"].value or 0.0 for arm, values in second.comparison.arms.items()}
    assert gate.value == pytest.approx(accuracy["candidate"] - accuracy["champion"])
    assert [night.decision for night in history()] == ["promoted", "promoted"] and [night.version for night in second.comparison.nights] == [1, 2]
    assert charged() == ["budget", "reserve", "commit", "reserve", "commit"]
    only_measured(second)
    one, two = (night.numbers["privacy/epsilon_lifetime"] for night in history())
    assert one < two < 2 * one
    skipped = inline.night(study, monkeypatch)
    assert isinstance(skipped, Skipped) and "no new data since night 2" in skipped.sentence and skipped.exit_code == 0
    inline.night(study, monkeypatch)
    assert [night.decision for night in history()] == ["promoted", "promoted", "skipped"] and charged()[5:] == []
    assert "no new data" not in second.report.read_text()
    assert len(_with_later_nights(second.report.parent)) == 3 and "no new data" in second.report.read_text()


def test_a_worse_model_is_refused_and_the_champion_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = [{"metric": "utility/accuracy", "not_worse_than": "champion", "by_more_than": 0.05}]
    study = audit(gates=gates, snapshot=replaying({"seed": 1}, {"seed": 2, "limit": 40}))
    ran(study, monkeypatch)
    before = champion()
    worse = ran(study, monkeypatch)
    assert worse.exit_code == 1 and champion() == before
    night = history()[-1]
    assert night.decision == "refused" and "a loss of at most 0.05 against the champion" in night.reasons[0] and night.version == 1
    assert charged() == ["budget", "reserve", "commit", "reserve", "commit"]  # what was refused was spent all the same
    assert before is not None and alias_run(MODEL, "champion") == before.run


def test_a_spent_budget_refuses_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    ran(audit(), monkeypatch)
    spent = history()[-1].numbers["privacy/epsilon_lifetime"]
    outcome = ran(audit(budget={"epsilon": spent + 0.01, "delta": 1e-5}), monkeypatch)
    night = history()[-1]
    assert outcome.exit_code == 1 and night.decision == "refused" and "it was not begun" in night.reasons[0]
    assert charged() == ["budget", "reserve", "commit", "budget"]
    assert "the spec changed since the night before: budget.epsilon" in night.notes[0]


def test_a_failed_training_is_no_refusal_and_the_night_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.models import predicting

    whole = predicting.write_predictions
    monkeypatch.setattr(predicting, "write_predictions", lambda *arguments: (_ for _ in ()).throw(RuntimeError("planted")))
    outcome = ran(audit(), monkeypatch)
    assert outcome.exit_code == 1 and history()[-1].decision == "failed" and history()[-1].reasons[0].startswith("RuntimeError: planted")
    assert champion() is None
    monkeypatch.setattr(predicting, "write_predictions", whole)
    ran(audit(), monkeypatch)
    [night] = history()
    assert night.decision == "promoted" and night.number == 1 and "failed before" in night.notes[0] and "planted" in night.notes[0]
    assert charged() == ["budget", "reserve", "commit"]


def test_a_night_that_starts_twice_is_charged_and_promoted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inline.begin(monkeypatch)
    first, second = arranged(audit()), arranged(audit())
    one, other = inline.go_on(first), inline.go_on(second)
    assert other.made == 0 and one.mlflow_run == other.mlflow_run
    moved = champion()
    assert moved is not None and moved.version == 1 and len(history()) == 1 and charged() == ["budget", "reserve", "commit"]


def test_a_champion_that_moved_meanwhile_is_not_overwritten_and_the_night_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    inline.begin(monkeypatch)
    late = arranged(audit(name="other"))
    ran(audit(), monkeypatch)
    with pytest.raises(UserError, match="run it again"):
        inline.go_on(late)
    assert history("other") == []
    again = ran(audit(name="other"), monkeypatch)
    assert history("other")[-1].decision == "promoted" and "champion" in again.comparison.arms
    assert charged().count("reserve") == 2  # its training was there


def test_a_decided_night_whose_report_was_lost_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = files.write_files
    monkeypatch.setattr(steps, "write_files", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        ran(audit(), monkeypatch)
    assert [night.decision for night in history()] == ["promoted"]
    monkeypatch.setattr(steps, "write_files", whole)
    written = ran(audit(), monkeypatch)
    assert written.made == 0 and [night.decision for night in history()] == ["promoted"] and len(charged()) == 3
    assert open_client().get_run(written.mlflow_run).info.status == "FINISHED" and "Night 1: promoted" in written.report.read_text()
    ran(audit(), monkeypatch)
    assert [night.number for night in history()] == [1, 2]


@pytest.mark.slow
def test_the_alias_follows_the_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    ran(audit(), monkeypatch)
    first = champion()
    ran(audit(), monkeypatch)
    second = champion()
    assert first is not None and second is not None and alias_run(MODEL, "champion") == second.run
    client = open_client()
    client.set_registered_model_alias(MODEL, "champion", "1")
    ran(audit(), monkeypatch)
    third = champion()
    assert third is not None and alias_run(MODEL, "champion") == third.run
    client.delete_registered_model_alias(MODEL, "champion")
    inline.night(audit(), monkeypatch)  # no new data
    assert alias_run(MODEL, "champion") == third.run


@pytest.mark.slow
def test_a_model_that_has_the_alias_already_is_the_first_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = {**trained(), "execution": {"register_model": {"name": MODEL}}}
    inline.run(registered, monkeypatch)
    open_client().set_registered_model_alias(MODEL, "champion", "1")
    outcome = ran(audit(), monkeypatch)
    assert "champion" in outcome.comparison.arms and history()[-1].decision == "promoted"
    moved = champion()
    assert moved is not None and moved.version == 1 and alias_run(MODEL, "champion") == moved.run


def lose_champion(home: Path) -> None:
    moved = champion()
    assert moved is not None
    for folder in (*home.glob(f"mlruns/**/{moved.run}/artifacts/model"), *home.glob("mlruns/store/artifacts/*")):
        shutil.rmtree(folder)


def test_without_its_champion_a_night_trains_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(audit(), monkeypatch)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'other.db'}")  # records that never knew it
        with pytest.raises(UserError, match=r"the champion cannot be loaded .*not found"):
            inline.night(audit(), monkeypatch)
    lose_champion(home)
    with pytest.raises(UserError, match=r"the champion cannot be loaded .*incomparable: pass"):
        inline.night(audit(), monkeypatch)
    assert history()[-1].decision == "failed" and charged() == ["budget", "reserve", "commit"]
    outcome = ran(audit(champion={"name": MODEL, "incomparable": "pass"}), monkeypatch)
    assert history()[-1].decision == "promoted" and "the champion cannot be loaded" in outcome.comparison.gates[1].sentence


def test_a_champion_with_other_labels_is_not_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = replaying({"seed": 1}, {"seed": 2, "intents": 6})
    ran(audit(snapshot=nights), monkeypatch)
    refused = ran(audit(snapshot=nights), monkeypatch)
    night = history()[-1]
    assert refused.exit_code == 1 and night.decision == "refused" and "NIGHT-01" in night.reasons[0] and charged() == ["budget", "reserve", "commit"]
    passing = ran(audit(snapshot=nights, champion={"name": MODEL, "incomparable": "pass"}), monkeypatch)
    assert history()[-1].decision == "promoted" and passing.exit_code == 0
    assert "it knows other labels than the data" in passing.comparison.gates[1].sentence and passing.comparison.arms["champion"] == {}


def test_a_changed_gate_judges_again_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    only = replaying({"seed": 1})
    ran(audit(snapshot=only), monkeypatch)
    again = ran(audit(snapshot=only, gates=[{"metric": "utility/accuracy", "at_least": 0.99}]), monkeypatch)
    night = history()[-1]
    assert night.decision == "refused" and night.notes == ("the spec changed since the night before: gates",) and charged() == ["budget", "reserve", "commit"]
    assert again.comparison.lifetimes[0].trainings == 1


def test_new_trains_and_judges_the_same_data_again(monkeypatch: pytest.MonkeyPatch) -> None:
    only = replaying({"seed": 1})
    ran(audit(snapshot=only), monkeypatch)
    ran(audit(snapshot=only), monkeypatch, new=True)
    assert [night.number for night in history()] == [1, 2] and charged().count("reserve") == 2


def test_a_night_without_data_has_failed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "test.csv").write_text("text,label\non,a\noff,b\n")
    files = {
        "kind": "files",
        "train": str(home / "test.csv"),
        "test": str(home / "test.csv"),
        "columns": {"text": "text", "label": "label"},
        "public_size": 480,
    }
    study = audit(study=trained(data=files), snapshot={"kind": "newest-files", "pattern": "snapshots/*.csv"})
    for _ in range(2):
        with pytest.raises(UserError, match="no file fits"):
            inline.night(study, monkeypatch)
    assert [(night.decision, night.snapshot) for night in history()] == [("failed", "none")] and charged() == ["budget"]


def test_a_plan_writes_nothing_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline.begin(monkeypatch)
    found = arrange(load_mapping(audit()), begin=False)
    assert isinstance(found, Arranged) and found.conclude is None and open_ledger().spent(PEOPLE).budget is None and history() == []


@pytest.mark.slow
def test_a_study_of_another_kind_is_trained_and_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    values = yaml.safe_load((CHECKOUT / "specs" / "debiased_distillation" / "smoke.yaml").read_text())
    private = values.pop("sweep")["arms"]["private"]
    student = {**values, **private, "name": "student", "randomness": "secret", "distillation": {"combiner": {"kind": "exp-mean"}, "apply_to": "both"}}
    gates = [{"metric": "utility/bits_per_byte", "not_worse_than": "champion", "by_more_than": 5}]
    study = audit(study=student, gates=gates, snapshot=replaying({"seed": 3}, {"seed": 4}))
    ran(study, monkeypatch)
    second = ran(study, monkeypatch)
    assert [night.decision for night in history()] == ["promoted", "promoted"] and second.comparison.gates[0].value is not None
    assert "fairness/profession_polarity/score" in second.comparison.arms["champion"] and charged().count("reserve") == 2
