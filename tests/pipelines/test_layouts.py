"""The layout of shadow models, settled before anything is keyed: measured once where it is left open, sequential where they cannot be stacked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import layouts
from pipelines.describing import print_plan
from pipelines.layouts import Question, settled
from pipelines.planning import make_plan
from specs.loading import Loaded, load_mapping
from tasks.attacks.attack import ATTACKS, Attack
from tasks.core.measures import Layout
from tasks.core.store import Store, open_store
from tests.pipelines.inline import at

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "shadowed",
    "data": {"kind": "synthetic-assistant", "examples": 120, "task": "intent", "public_size": 70, "attack_holdout": 30},
    "model": {"kind": "linear", "bigram_buckets": 64, "tokenizer": {"kind": "hashing", "buckets": 50, "max_tokens": 12}},
    "training": {"epochs": 1, "expected_batch_size": 8},
    "attacks": [],
}


def shadowing(**fields: Any) -> Attack:
    """An attack that asks for shadow models, twenty if not told."""
    found = ATTACKS.parse({"kind": "lira", "shadows": 20, **fields})
    assert isinstance(found, Attack)
    return found


def asking(*attacks: Attack, **changes: Any) -> Loaded:
    """A study with attacks that no rule was asked about."""
    loaded = load_mapping({**STUDY, **changes})
    return replace(loaded, trials=tuple(replace(trial, study=trial.study.model_copy(update={"attacks": attacks})) for trial in loaded.trials))


def found(loaded: Loaded) -> list[str]:
    return [attack.layout for trial in loaded.trials for attack in trial.study.attacks]  # type: ignore[attr-defined]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """What was measured; stacked was faster."""
    questions: list[Question] = []

    def measured(question: Question, device: str) -> dict[str, Any]:
        questions.append(question)
        return {"layout": "stacked", "seconds": {}}

    monkeypatch.setattr(layouts, "_measured", measured)
    return questions


def test_a_layout_is_measured_once_when_a_run_begins(store: Store, asked: list[Question]) -> None:
    before, said = settled(asking(shadowing()), store, begin=False)
    assert found(before) == ["auto"] and not asked
    assert said == ("attacks, lira: layout: auto is measured when the study first runs here; until then the steps of its shadow models are not known",)
    begun, said = settled(asking(shadowing(), sweep={"seeds": [0, 1]}), store, begin=True)
    assert found(begun) == ["stacked"] * 2 and len(asked) == 1 and not said
    assert found(settled(asking(shadowing()), store, begin=False)[0]) == ["stacked"] and len(asked) == 1, "what was measured is kept"


def test_what_is_timed_is_the_training_of_the_target(store: Store, asked: list[Question]) -> None:
    loaded = asking(shadowing())
    settled(loaded, store, begin=True)
    study: Any = loaded.trials[0].study
    assert asked[0].module == "tasks.training.layout" and asked[0].arguments == (study.model, study.training, "intent", 16)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({}, False),
        ({"training": {"epochs": 9, "expected_batch_size": 8, "schedule": {"kind": "cosine"}}}, False),
        ({"training": {"expected_batch_size": 16}}, True),
        ({"training": {"expected_batch_size": 8, "optimizer": {"kind": "sgd"}}}, True),
        ({"training": {"expected_batch_size": 8, "precision": "bf16"}}, True),
        ({"model": {"kind": "linear", "bigram_buckets": 128}}, True),
    ],
)
def test_what_decides_speed_is_measured_anew(change: dict[str, Any], again: bool, store: Store, asked: list[Question]) -> None:
    settled(asking(shadowing()), store, begin=True)
    settled(asking(shadowing(), **change), store, begin=True)
    assert len(asked) == 1 + again


def test_a_smaller_stack_is_measured_anew_and_larger_ones_are_stacks_of_sixteen(store: Store, asked: list[Question]) -> None:
    for shadows in (16, 100, 4):
        settled(asking(shadowing(shadows=shadows)), store, begin=True)
    assert [question.arguments[-1] for question in asked] == [16, 4]


def test_attacks_of_one_trial_share_their_stacks(store: Store, asked: list[Question]) -> None:
    """The largest of them decides the layout of all, so that who asks for fewer takes models that are there."""
    settled(asking(shadowing(shadows=12), shadowing(shadows=4, label="few")), store, begin=True)
    assert [question.arguments[-1] for question in asked] == [12]


@pytest.mark.parametrize("layout", ["auto", "stacked"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"privacy": {"kind": "dp-sgd", "target_epsilon": 3}}, "privacy dp-sgd clips examples and draws noise model by model"),
        ({"training": {"early_stopping": {}}}, "early stopping ends each model when its own validation says so"),
        ({"execution": {"processes_per_training": 2}}, "a training by several processes is of one model"),
    ],
)
def test_what_cannot_be_stacked_is_sequential_and_says_why(change: dict[str, Any], reason: str, layout: Layout, store: Store, asked: list[Question]) -> None:
    for begin in (False, True):
        loaded, said = settled(asking(shadowing(layout=layout), **change), store, begin)
        assert found(loaded) == ["sequential"] and said == (f"attacks, lira: layout: sequential, for {reason}",)
    assert not asked


def test_what_is_written_is_not_measured(store: Store, asked: list[Question]) -> None:
    tokenizer = {"kind": "trained", "vocabulary": 300, "corpus": {"kind": "synthetic-assistant", "examples": 100}}
    fitted = {"model": {"kind": "linear", "tokenizer": tokenizer}}
    assert found(settled(asking(shadowing(layout="stacked"), shadowing(layout="sequential", label="b")), store, begin=True)[0]) == ["stacked", "sequential"]
    assert found(settled(asking(shadowing(layout="stacked"), **fitted), store, begin=True)[0]) == ["stacked"]
    loaded, said = settled(asking(shadowing(), **fitted), store, begin=True)
    assert found(loaded) == ["sequential"] and "its tokenizer is fitted by a step of the study" in said[0]
    assert not asked


def test_a_measurement_that_could_not_stack_says_why(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_measured", lambda question, device: {"layout": "sequential", "reason": "cannot be stacked: no rule"})
    loaded, said = settled(asking(shadowing()), store, begin=True)
    assert found(loaded) == ["sequential"] and said == ("attacks, lira: layout: sequential, for cannot be stacked: no rule",)


def test_a_layout_is_measured_for_real(store: Store) -> None:
    """In a process of its own; which is faster, this machine decides."""
    loaded, _ = settled(asking(shadowing(shadows=3)), store, begin=True)
    [kept] = (store.local / layouts.FOLDER).iterdir()
    values = json.loads(kept.read_text())
    assert found(loaded) == [values["layout"]] and set(values["seconds"]) == {"stacked", "sequential"} and values["stack"] == 3


def test_a_study_without_shadows_is_left_as_it_is(store: Store) -> None:
    loaded = load_mapping(STUDY)
    assert settled(loaded, store, begin=True) == (loaded, ())


def test_a_federated_target_is_sequential(store: Store, asked: list[Question]) -> None:
    federated = {
        "kind": "fl-selection",
        "data": {**STUDY["data"], "users": 20},
        "partition": {"kind": "natural"},
        "federation": {"rounds": 2, "engine": {"kind": "in-process", "layout": "sequential"}},
        "training": None,
    }
    values = {name: value for name, value in {**STUDY, **federated}.items() if value is not None}
    loaded = load_mapping(values)
    trials = tuple(replace(trial, study=trial.study.model_copy(update={"attacks": (shadowing(),)})) for trial in loaded.trials)
    answered, said = settled(replace(loaded, trials=trials), store, begin=True)
    assert found(answered) == ["sequential"] and said == ("attacks, lira: layout: sequential, for step federate makes one model at a time",)
    assert not asked


def test_a_plan_says_what_was_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    at(tmp_path, monkeypatch)
    plan = make_plan(asking(shadowing(layout="stacked", shadows=2), training={"early_stopping": {}}))
    print_plan(plan)
    assert len(plan.said) == 1 and plan.said[0] in capsys.readouterr().out.replace("\n", " ").replace("  ", " ")
    assert "train-stacked" not in {node.step.name for node in plan.graph}
    stacked = make_plan(asking(shadowing(layout="stacked", shadows=2)))
    assert not stacked.said and [node.step.name for node in stacked.graph].count("shadow") == 2
