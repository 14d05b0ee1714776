"""Attacks and fairness in a whole study: an overfit model is told from the text alone, a private one is not, and what is left out is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipelines.outcome import Outcome
from pipelines.planning import Plan, make_plan
from specs.loading import load_mapping
from tasks.attacks.blind import SCORES
from tasks.core.graph import Graph, Node
from tasks.core.measures import Measures, Row
from tasks.core.places import tracking_uri
from tests.pipelines.inline import run

ATTACK, GAP = "privacy/loss_threshold/", "fairness/accuracy/"
SPENT = {"privacy/epsilon", "privacy/delta", "privacy/noise_multiplier"}

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "attacked",
    "data": {"kind": "synthetic-assistant", "examples": 900, "task": "intent", "public_size": 400, "attack_holdout": 300},
    "model": {"kind": "linear"},
    "training": {"expected_batch_size": 64},
    "utility": [{"kind": "accuracy"}],
    "sweep": {
        "seeds": [0, 1],
        "arms": {
            "overfit": {"training": {"epochs": 60, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.05, "weight_decay": 0}}},
            "private": {"privacy": {"kind": "dp-sgd", "target_epsilon": 1}, "training": {"epochs": 2, "expected_batch_size": 64}},
        },
    },
}


def at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(folder))


class Ran:
    """The study after its one run, in a home that the tests of this file share."""

    def __init__(self, outcome: Outcome, plan: Plan) -> None:
        self.outcome, self.plan = outcome, plan

    def rows(self, arm: str, seed: int) -> dict[str, Row]:
        [planned] = [planned for planned in self.plan.trials if (planned.trial.arm, planned.trial.seed) == (arm, seed)]
        return {row.name: row for node in planned.graph.measured for row in Measures.load_rows(self.plan.store.open(node.key))}

    def steps(self, name: str) -> list[Node]:
        return [node for node in self.plan.graph if node.step.name == name]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        outcome = run(STUDY, patched)
        yield Ran(outcome, make_plan(load_mapping(STUDY)))


def children(outcome: Outcome) -> dict[str, Run]:
    client = MlflowClient(tracking_uri=tracking_uri())
    found = client.search_runs([client.get_run(outcome.mlflow_run).info.experiment_id], f"tags.`mlflow.parentRunId` = '{outcome.mlflow_run}'")
    return {f"{one.data.tags['arm']} {one.data.tags['seed']}": one for one in found}


def graph_of(study: dict[str, Any]) -> tuple[Graph, Any]:
    plan = make_plan(load_mapping(study))
    return plan.graph, plan.trials[0].trial.study


def test_an_overfit_model_is_above_its_blind_baseline_and_a_private_one_is_not(ran: Ran) -> None:
    """The overfit interval reaches nowhere near 0; the private one holds it, but for a false alarm of 1 in 20 a seed that these seeds do not raise."""
    assert ran.outcome.exit_code == 0
    for seed in (0, 1):
        overfit, private = ran.rows("overfit", seed)[f"{ATTACK}auc_above_blind"], ran.rows("private", seed)[f"{ATTACK}auc_above_blind"]
        assert overfit.low is not None and overfit.low > 0.05 and overfit.value is not None and overfit.value > 0.1
        assert private.low is not None and private.high is not None and private.low <= 0.0 <= private.high


def test_the_blind_baseline_is_made_once_per_seed_and_shared_by_the_arms(ran: Ran) -> None:
    blinds = ran.steps("blind-baseline")
    assert sorted(node.seed for node in blinds if node.seed is not None) == [0, 1] and len(blinds) == 2
    attacks = [node for node in ran.steps("measure") if "needed/blind" in node.inputs]
    assert len(attacks) == 4 and {node.inputs["needed/blind"].key for node in attacks} == {node.key for node in blinds}
    for seed in (0, 1):
        overfit, private = ran.rows("overfit", seed)[f"{ATTACK}blind_auc"], ran.rows("private", seed)[f"{ATTACK}blind_auc"]
        assert overfit.value == private.value and overfit.n == private.n
    assert ran.rows("overfit", 0)[f"{ATTACK}blind_auc"].value != ran.rows("overfit", 1)[f"{ATTACK}blind_auc"].value


def test_the_blind_scores_are_of_the_pools_that_the_model_saw(ran: Ran) -> None:
    for node in ran.steps("blind-baseline"):
        scores, data = pd.read_parquet(ran.plan.store.open(node.key) / SCORES), ran.plan.store.open(node.inputs["data"].key)
        for split, member in (("train", True), ("nonmembers", False)):
            assert sorted(scores["id"][scores["member"] == member]) == sorted(pd.read_parquet(data / f"{split}.parquet")["id"])
    assert len({node.inputs["data"].key for node in ran.steps("blind-baseline")}) == 2


def test_both_families_are_measured_where_the_study_leaves_them_out(ran: Ran) -> None:
    for arm in ("overfit", "private"):
        names = set(ran.rows(arm, 0))
        assert {f"{ATTACK}{name}" for name in ("auc", "blind_auc", "auc_above_blind", "tpr_at_1pct_fpr")} <= names
        assert {f"{GAP}{name}" for name in ("difference", "worst_group", "by_group/a", "by_group/b")} <= names
        assert set(ran.outcome.comparison.arms[arm]) >= names
    assert not any({"attacks", "fairness"} & set(one.data.tags) for one in children(ran.outcome).values())


def test_epsilon_is_a_number_of_the_private_arm_alone(ran: Ran) -> None:
    for seed in (0, 1):
        assert set(ran.rows("private", seed)) >= SPENT and not SPENT & set(ran.rows("overfit", seed))
        epsilon = ran.rows("private", seed)["privacy/epsilon"].value
        assert epsilon is not None and 0 < epsilon <= 1
    tags = {name: one.data.tags["guarantee"] for name, one in children(ran.outcome).items()}
    assert tags["overfit 0"] == "none" and tags["private 0"] != "none"


def test_an_empty_list_stays_empty_and_is_said(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {**STUDY["data"], "examples": 200, "public_size": 130, "attack_holdout": 30}
    outcome = run({**STUDY, "name": "empty", "data": small, "attacks": [], "fairness": [], "training": {"epochs": 1}, "sweep": {}}, monkeypatch)
    assert outcome.exit_code == 0 and not any(name.startswith(("privacy/", "fairness/")) for name in outcome.comparison.arms["main"])
    [one] = children(outcome).values()
    assert (one.data.tags["attacks"], one.data.tags["fairness"]) == ("not measured", "not measured")


def test_data_without_groups_says_that_there_are_none(ran: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    lines = [f"say {'yes' if index % 2 else 'no'} {index},{'yes' if index % 2 else 'no'}" for index in range(120)]
    table.write_text("\n".join(["text,label", *lines]) + "\n")
    data = {"kind": "files", "train": str(table), "task": "intent", "columns": {"text": "text", "label": "label"}}
    outcome = run({**STUDY, "name": "ungrouped", "data": data, "training": {"epochs": 1}, "sweep": {}}, monkeypatch)
    [one] = children(outcome).values()
    assert (one.data.tags["attacks"], one.data.tags["fairness"]) == ("not measured", "not measured (no groups)")
    graph, study = graph_of({**STUDY, "data": data, "sweep": {}})
    assert (study.attacks, study.fairness) == ((), ()) and not any(node.step.name == "blind-baseline" for node in graph)


@pytest.mark.parametrize(
    ("changes", "attacks", "fairness"),
    [
        ({}, ["loss-threshold"], ["accuracy-gap"]),
        ({"attack_holdout": 0}, [], ["accuracy-gap"]),
        ({"task": "joint"}, ["loss-threshold"], ["accuracy-gap"]),
        ({"task": "tagging"}, ["loss-threshold"], []),
        ({"task": "lm"}, ["loss-threshold"], []),
    ],
)
def test_defaults_follow_from_the_data(changes: dict[str, Any], attacks: list[str], fairness: list[str]) -> None:
    model = {"kind": "gpt2"} if changes.get("task") == "lm" else {"kind": "bilstm"} if "task" in changes else {"kind": "linear"}
    given = {**STUDY, "data": {**STUDY["data"], **changes}, "model": model, "utility": [{"kind": "loss"}], "sweep": {}}
    study: Any = load_mapping(given).study
    assert [one.kind for one in study.attacks] == attacks and [one.kind for one in study.fairness] == fairness
    empty: Any = load_mapping({**given, "attacks": [], "fairness": []}).study
    assert (empty.attacks, empty.fairness) == ((), ())
