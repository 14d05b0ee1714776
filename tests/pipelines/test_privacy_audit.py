"""A whole privacy audit: an overfit model is found out by every means and a private one is not, and models from elsewhere are attacked as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from pipelines.planning import Plan, make_plan
from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.core.graph import Node
from tasks.core.measures import Measures, Row
from tasks.core.places import tracking_uri
from tasks.data.pools import content_keys
from tests.conftest import Prepare
from tests.pipelines.inline import run

STUDY: dict[str, Any] = {
    "kind": "privacy-audit",
    "name": "audited",
    "data": {"kind": "synthetic-assistant", "examples": 1100, "task": "intent", "intents": 12, "public_size": 450, "attack_holdout": 450},
    "model": {"kind": "linear", "bigram_buckets": 2048, "tokenizer": {"kind": "hashing", "buckets": 2048, "max_tokens": 32}},
    "training": {"expected_batch_size": 64},
    "canaries": {"kind": "digits", "length": 3, "count": 2, "repetitions": 20},
    "attacks": [
        {"kind": "loss-threshold"},
        {"kind": "lira", "shadows": 8},
        {"kind": "rmia", "references": 4},
        {"kind": "one-run", "canaries": 300},
        {"kind": "one-run-f-dp", "canaries": 300},
        {"kind": "gdp", "canaries": 300},
        {"kind": "clopper-pearson", "runs": 2},
        {"kind": "mechanism", "steps": 2},
        {"kind": "canary-exposure"},
        {"kind": "canary-completion"},
    ],
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
    "sweep": {
        "arms": {
            "overfit": {"training": {"epochs": 60, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.05, "weight_decay": 0}}},
            "private": {"privacy": {"kind": "dp-sgd", "target_epsilon": 1}, "training": {"epochs": 2, "expected_batch_size": 64}},
        },
    },
}
AUDITS = ("one_run", "one_run_f_dp", "gdp", "clopper_pearson")


def at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(folder))


class Ran:
    """A study after its run: its rows, and its plan."""

    def __init__(self, study: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcome = run(study, monkeypatch)
        self.plan: Plan = make_plan(load_mapping(study))

    def rows(self, arm: str) -> dict[str, Row]:
        [planned] = [planned for planned in self.plan.trials if planned.trial.arm == arm]
        found = [row for node in planned.graph.measured for row in Measures.load_rows(self.plan.store.open(node.key))]
        return {row.name.removeprefix("privacy/"): row for row in found}

    def node(self, label: str) -> Node:
        [found] = [node for node in self.plan.graph if node.label == label]
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        yield Ran(STUDY, patched)


def value(row: Row) -> float:
    assert row.value is not None, row
    return row.value


def test_an_overfit_model_is_found_out_at_low_false_positive_rates_and_a_private_one_is_not(ran: Ran) -> None:
    """Lower ends of intervals; of the private model the interval of what the attack adds to the blind baseline holds 0."""
    assert ran.outcome.exit_code == 0
    overfit, private = ran.rows("overfit"), ran.rows("private")
    for attack in ("lira", "rmia"):
        low = overfit[f"{attack}/tpr_at_1pct_fpr"].low
        assert low is not None and low > 0.01 and value(overfit[f"{attack}/tpr_at_1pct_fpr"]) > 0.04
        above = private[f"{attack}/auc_above_blind"]
        assert above.low is not None and above.high is not None and above.low <= 0.0 <= above.high
    assert value(overfit["lira/auc"]) > value(overfit["loss_threshold/auc"]) > 0.6


def test_every_bound_stands_beside_its_ceiling(ran: Ran) -> None:
    for arm in ("overfit", "private"):
        rows = ran.rows(arm)
        for audit in AUDITS:
            lower, ceiling = rows[f"{audit}/epsilon_lower"], rows[f"{audit}/epsilon_ceiling"]
            assert value(lower) <= value(ceiling) and lower.conditions == ceiling.conditions
            assert lower.conditions["confidence"] == "0.95 over 4 audits" and lower.conditions["delta"] == f"{1 / 4500:g}"
            assert lower.conditions["adjacency"] == "add-remove" and "guesses right" in str(lower.reason)


def test_bounds_are_above_zero_without_privacy_and_below_what_a_private_model_claims(ran: Ran) -> None:
    overfit, private = ran.rows("overfit"), ran.rows("private")
    for audit in AUDITS[:3]:
        assert value(overfit[f"{audit}/epsilon_lower"]) > 1
    for audit in AUDITS:
        assert f"{audit}/exceeds_claim" not in overfit and value(private[f"{audit}/exceeds_claim"]) == 0.0
        assert value(private[f"{audit}/epsilon_lower"]) <= value(private["epsilon"])


def test_canaries_are_found_in_the_overfit_model_alone(ran: Ran) -> None:
    assert value(ran.rows("overfit")["canary/exposure"]) > 8 > value(ran.rows("private")["canary/exposure"])
    assert ran.rows("overfit")["canary/completion_exact_match"].n == 2


def test_the_mechanism_is_tested_where_there_is_one(ran: Ran) -> None:
    assert value(ran.rows("private")["mechanism/violations"]) == 0.0
    assert ran.rows("overfit")["mechanism/violations"].status == "unsupported"


def test_the_canaries_of_a_model_are_no_members_of_the_pools(ran: Ran) -> None:
    data = ran.plan.store.open(ran.node("insert overfit seed 0").key)
    counts = json.loads((data / "data.json").read_text())["counts"]
    assert ran.rows("overfit")["loss_threshold/auc"].n == counts["train"] - 40 + counts["nonmembers"]


def test_secrets_are_in_no_record(ran: Ran) -> None:
    """Neither in what MLflow holds nor in the report, nor in what steps say."""
    data = ran.plan.store.open(ran.node("insert overfit seed 0").key)
    secrets = list(pd.read_parquet(data / "canaries.parquet")["secret"])
    client = MlflowClient(tracking_uri=tracking_uri())
    experiment = client.get_run(ran.outcome.mlflow_run).info.experiment_id
    told = [ran.outcome.report.read_text()] + [str(found.to_dictionary()) for found in client.search_runs([experiment])]
    for found in client.search_runs([experiment]):
        folder = Path(client.download_artifacts(found.info.run_id, ""))
        told += [path.read_text(errors="replace") for path in folder.rglob("*") if path.suffix in (".json", ".md", ".yaml", ".csv", ".html", ".txt")]
    assert all(f"code is {secret}" not in text for secret in secrets for text in told) and len(told) > 10


def loaded(model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = {name: held for name, held in STUDY["data"].items() if name not in ("public_size", "attack_holdout")}
    return {
        "kind": "privacy-audit",
        "name": "elsewhere",
        "data": data,
        "model": model,
        "attacks": [{"kind": "loss-threshold"}, {"kind": "quantile"}],
        **changes,
    }


def test_a_recorded_model_is_attacked_on_the_records_that_it_says_it_was_trained_on(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pools as where it was trained, told apart by the model's own list, and the same AUC; so does the artifact in a folder."""
    study = {
        **STUDY,
        "name": "plain",
        "attacks": [{"kind": "loss-threshold"}],
        "canaries": None,
        "sweep": {"arms": {"overfit": STUDY["sweep"]["arms"]["overfit"]}},
    }
    first = Ran(study, monkeypatch)
    client = MlflowClient(tracking_uri=tracking_uri())
    [trial] = client.search_runs([client.get_run(first.outcome.mlflow_run).info.experiment_id], "tags.arm = 'overfit'")
    expected = first.rows("overfit")["loss_threshold/auc"]
    folder = first.plan.store.open(first.node("train overfit seed 0").key)
    for model in ({"kind": "mlflow", "run": trial.info.run_id}, {"kind": "pretrained", "source": str(folder)}):
        found = Ran(loaded(model), monkeypatch)
        assert found.outcome.exit_code == 0
        row = found.rows("main")["loss_threshold/auc"]
        assert row.n == expected.n and row.value == pytest.approx(value(expected))
        assert found.plan.trials[0].trial.study.guarantee() == "not a guarantee: the model was trained elsewhere"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attacks": [{"kind": "lira"}]}, "shadow models are trained as the target was"),
        ({"attacks": [{"kind": "one-run"}]}, "an audit trains models with records of its own"),
        ({"attacks": [{"kind": "canary-exposure"}]}, "no canary to look for"),
        ({"canaries": {"kind": "digits"}}, "canaries: model mlflow is audited as it is"),
        ({"privacy": {"kind": "dp-sgd", "target_epsilon": 1}}, "privacy: model mlflow is audited as it is"),
        ({"data": STUDY["data"]}, "data.attack_holdout: a published or recorded model has seen its records already"),
    ],
)
def test_what_needs_training_is_refused_of_a_model_from_elsewhere(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecErrors, match=said):
        load_mapping(loaded({"kind": "mlflow", "run": "0" * 32}, **changes))


def test_members_of_a_model_that_is_trained_here_are_drawn() -> None:
    with pytest.raises(SpecErrors, match="here a coin decides who is a member"):
        load_mapping({**STUDY, "members": "train-split"})


def test_a_published_classifier_is_attacked_on_the_datas_own_splits(prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows nothing of these texts: the interval holds one half, and as many are asked about as the splits have distinct texts."""
    from transformers import BertConfig, BertForSequenceClassification

    at(tmp_path / "home", monkeypatch)
    data = {"kind": "synthetic-assistant", "examples": 1500, "task": "intent", "intents": 6}
    prepared = prepare(data)
    layers = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sizes: dict[str, Any] = {"vocab_size": 100, "max_position_embeddings": 40, **layers}
    names = dict(enumerate(prepared.labels))
    torch.manual_seed(0)
    config = BertConfig(**sizes, id2label=names, label2id={name: index for index, name in names.items()})
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    model = {"kind": "pretrained", "source": str(tmp_path / "model"), "tokenizer": {"kind": "hashing", "buckets": 90, "max_tokens": 30}}
    found = Ran({**loaded(model), "data": data, "members": "train-split", "attacks": [{"kind": "loss-threshold"}]}, monkeypatch)
    assert found.outcome.exit_code == 0
    row = found.rows("main")["loss_threshold/auc"]
    train, test = (set(content_keys(prepared.split(split))) for split in ("train", "test"))
    assert row.n == len(train) + len(test - train) and len(test - train) >= 100
    assert row.low is not None and row.high is not None and row.low <= 0.5 <= row.high
