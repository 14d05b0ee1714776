"""One spec becomes its trials: arms by dotted path, crossed with a grid and with seeds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from specs.loading import load_mapping
from specs.sweep import SweepError, changed, value_name
from tests.specs.given import SMALL, loaded

BASE: dict[str, Any] = {
    "kind": "dp-training",
    "name": "s",
    "data": {"kind": "synthetic-assistant", "examples": 100, "task": "intent"},
    "model": {"kind": "bilstm", "hidden_size": 8, "tokenizer": {"kind": "hashing", "buckets": 64}},
    "training": {"epochs": 2, "optimizer": {"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9}},
}


def arm(changes: dict[str, Any] | None) -> dict[str, Any]:
    """The resolved study of an arm."""
    before = copy.deepcopy(changes)
    (trial,) = load_mapping({**BASE, "sweep": {"arms": {"one": changes}}}).trials
    assert changes == before
    return trial.study.model_dump(mode="json")


def names(sweep: dict[str, Any]) -> list[str]:
    return [f"{trial.arm} {trial.seed}" for trial in load_mapping({**BASE, "sweep": sweep}).trials]


def test_without_a_sweep_there_is_one_trial(tmp_path: Path) -> None:
    found = loaded(tmp_path, SMALL)
    (trial,) = found.trials
    assert (trial.arm, trial.base_arm, trial.seed, dict(trial.point)) == ("main", "main", 0, {})
    assert found.arms == ("main",) and found.study.sweep.baseline_arm == "main"


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ({"seeds": [3, 1]}, ["main 3", "main 1"]),
        ({"arms": {"b": {}, "a": None}, "seeds": [0, 7]}, ["b 0", "b 7", "a 0", "a 7"]),
        ({"arms": {"eps-8": {}}, "grid": {"training.epochs": [5]}}, ["eps-8[training.epochs=5] 0"]),
        ({"grid": {"training.epochs": [1, 0.5], "model.layers": [2, 1]}}, [f"main[model.layers={n},training.epochs={e}] 0" for n in (2, 1) for e in (1, 0.5)]),
        ({"grid": {"model": [{"kind": "linear"}, {"kind": "bilstm"}]}}, ["main[model=linear] 0", "main[model=bilstm] 0"]),
        ({"grid": {"training.precision": ["fp32", "bf16"]}}, ["main[training.precision=fp32] 0", "main[training.precision=bf16] 0"]),
        ({"grid": {"data.limit": [None, 50]}}, ["main[data.limit=null] 0", "main[data.limit=50] 0"]),
        ({"grid": {"training.schedule": [{"warmup": 0.1}]}}, ['main[training.schedule={"warmup":0.1}] 0']),
    ],
)
def test_trials_are_named_in_the_order_written(sweep: dict[str, Any], expected: list[str]) -> None:
    assert names(sweep) == expected


def test_components_of_one_kind_are_told_apart_by_their_settings() -> None:
    wide, narrow = {"kind": "bilstm", "layers": 2}, {"kind": "bilstm", "layers": 1}
    assert value_name(wide, (wide, narrow)) == '{"kind":"bilstm","layers":2}'
    assert value_name(wide, (wide, {"kind": "linear"})) == "bilstm"


def test_a_trial_knows_its_point() -> None:
    sweep = {"arms": {"a": {"model.layers": 2}}, "grid": {"training.epochs": [5, 6]}, "seeds": [4]}
    second = load_mapping({**BASE, "sweep": sweep}).trials[1]
    assert (second.base_arm, second.seed, dict(second.point)) == ("a", 4, {"training.epochs": 6})
    resolved = second.study.model_dump(mode="json")
    assert (resolved["model"]["layers"], resolved["training"]["epochs"]) == (2, 6)
    assert resolved["sweep"] == {"seeds": [4], "baseline": None, "arms": {}, "grid": {}}


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        pytest.param({"training.epochs": 5}, "training.epochs", 5, id="value"),
        pytest.param({"training": {"epochs": 5}}, "training.optimizer.momentum", 0.9, id="merged block keeps the rest"),
        pytest.param({"training.optimizer": {"kind": "sgd"}}, "training.optimizer.momentum", 0.0, id="component of the same kind is replaced whole"),
        pytest.param({"training.optimizer": {"momentum": 0.5}}, "training.optimizer.learning_rate", 0.5, id="without a kind it is merged"),
        pytest.param({"training": {"optimizer": {"kind": "adamw"}}}, "training.optimizer.learning_rate", 0.002, id="component below a merged block"),
        pytest.param({"training.optimizer.momentum": None}, "training.optimizer.momentum", 0.0, id="null gives the default"),
        pytest.param({"training": None}, "training.epochs", 10, id="null removes a block"),
        pytest.param({"training": {"optimizer": None}}, "training.optimizer.kind", "adamw", id="null below a merged block"),
        pytest.param({"model.tokenizer.max_tokens": 8}, "model.tokenizer.buckets", 64, id="deep path"),
        pytest.param({"training.schedule.warmup": 0.1}, "training.schedule.kind", "constant", id="path through a default block"),
        pytest.param({"model.hidden_size": 4, "model": {"kind": "bilstm"}}, "model.hidden_size", 4, id="short paths first"),
        pytest.param({"model": {"kind": "linear"}}, "model.tokenizer.buckets", 8192, id="nothing stays of a replaced component"),
        pytest.param({"utility": [{"kind": "loss"}]}, "utility", 1, id="a list is replaced whole"),
        pytest.param(None, "training.epochs", 2, id="no changes"),
    ],
)
def test_a_change_does_what_its_value_says(changes: dict[str, Any] | None, path: str, expected: Any) -> None:
    value: Any = arm(changes)
    for key in path.split("."):
        value = value[key]
    assert (len(value) if isinstance(value, list) else value) == expected


def test_defaults_that_the_spec_does_not_mention_can_be_changed(tmp_path: Path) -> None:
    (trial,) = loaded(tmp_path, SMALL + "sweep: {arms: {a: {model.tokenizer.buckets: 99}}}\n").trials
    assert trial.study.model_dump(mode="json")["model"]["tokenizer"] == {"kind": "hashing", "buckets": 99, "max_tokens": 32}


def test_what_follows_from_another_key_follows_it_in_each_arm() -> None:
    found = load_mapping({**BASE, "sweep": {"arms": {"intent": {}, "tags": {"data.task": "tagging"}}}})
    assert ["utility/slot_f1" in trial.study.metrics() for trial in found.trials] == [False, True]


def test_arms_share_nothing() -> None:
    trials = load_mapping({**BASE, "sweep": {"arms": {"a": {"training.optimizer.momentum": 0.1}, "b": {}, "c": {"training.optimizer.momentum": None}}}}).trials
    assert [trial.study.model_dump()["training"]["optimizer"]["momentum"] for trial in trials] == [0.1, 0.9, 0.0]


def test_names_of_arms_are_no_part_of_a_trial() -> None:
    first, second = load_mapping({**BASE, "sweep": {"arms": {"a": {}, "b": {}}}}).trials
    assert first.study == second.study


def test_a_trial_is_a_spec_of_its_own() -> None:
    sweep = {"arms": {"a": {"model": {"kind": "linear"}}, "b": {}}, "grid": {"training.epochs": [1, 2]}, "seeds": [5, 6]}
    claims = [{"id": "c", "says": "c", "metric": "utility/accuracy", "arm": "a", "versus": "b", "better": True}]
    for trial in load_mapping({**BASE, "sweep": sweep, "claims": claims}).trials:
        (again,) = load_mapping(trial.study.model_dump(mode="json")).trials
        assert (again.study, again.seed) == (trial.study, trial.seed)


def test_labels_name_the_arms_they_mark() -> None:
    learnt = {"kind": "trained", "vocabulary": 300, "corpus": {"kind": "clinc150"}}
    found = load_mapping({**BASE, "sweep": {"arms": {"plain": {}, "learnt": {"model.tokenizer": learnt}}}})
    assert [(label.finding.rule.id, label.arms) for label in found.labels] == [("TEXT-01", ("learnt",))]
    assert [len(trial.labels) for trial in found.trials] == [0, 1]


def test_changed_does_what_an_arm_does() -> None:
    study = load_mapping(BASE).trials[0].study
    changes = {"training": {"epochs": 7}, "model": {"kind": "linear"}, "data.limit": 10}
    assert changed(study, changes).model_dump(mode="json", exclude={"sweep"}) == {key: value for key, value in arm(changes).items() if key != "sweep"}
    assert study == load_mapping(BASE).trials[0].study


def test_changed_refuses_what_an_arm_refuses() -> None:
    study = load_mapping(BASE).study
    with pytest.raises(SweepError, match="belongs to the whole study"):
        changed(study, {"name": "other"})
    with pytest.raises(ValidationError):
        changed(study, {"training.epochs": -1})
    with pytest.raises(ValidationError):
        changed(study, {"training.epoch": 1})


def test_what_the_base_says_does_not_come_back_in_an_arm_that_replaced_it() -> None:
    base = {**BASE, "model": {"kind": "bilstm", "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 4}}}
    arms = {
        "replaced": {"model": {"kind": "bilstm"}, "model.tokenizer.buckets": 32},
        "removed": {"model.tokenizer": None, "model.tokenizer.buckets": 32},
        "kept": {"model.tokenizer.buckets": 32},
        "other": {"model": {"kind": "linear"}, "model.tokenizer.buckets": 32},
    }
    trials = load_mapping({**base, "sweep": {"arms": arms}}).trials
    assert [trial.study.model_dump()["model"]["tokenizer"]["max_tokens"] for trial in trials] == [32, 32, 4, 32]


def test_a_default_that_follows_from_the_arm_is_that_of_the_arm() -> None:
    base = {**BASE, "model": {"kind": "pretrained", "source": "one/model"}}
    arms = {"two": {"model": {"kind": "pretrained", "source": "two/model"}, "model.tokenizer.max_tokens": 8}}
    (trial,) = load_mapping({**base, "sweep": {"arms": arms}}).trials
    assert trial.study.model_dump()["model"]["tokenizer"] == {"kind": "pretrained", "source": "two/model", "revision": "main", "max_tokens": 8}
