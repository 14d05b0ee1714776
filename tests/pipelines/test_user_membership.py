"""Membership of whole users in a federated study: users are held out, and shadows are federated like the target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.data.dataset import DataError
from tests.conftest import Prepare
from tests.pipelines.test_privacy_audit import Ran, at

STUDY: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "users",
    "data": {
        "kind": "synthetic-assistant",
        "examples": 2400,
        "users": 300,
        "intents": 20,
        "task": "intent",
        "public_size": 120,
        "attack_holdout": 120,
        "attack_holdout_by": "user",
    },
    "partition": {"kind": "natural", "minimum_examples": 1},
    "model": {"kind": "linear", "bigram_buckets": 512, "tokenizer": {"kind": "hashing", "buckets": 512, "max_tokens": 32}},
    "federation": {
        "engine": {"kind": "in-process", "layout": "sequential"},
        "rounds": 6,
        "cohort_size": 40,
        "selection": {"kind": "uniform"},
        "client": {"epochs": 2, "batch_size": 8, "optimizer": {"kind": "sgd", "learning_rate": 5.0}},
    },
    "attacks": [{"kind": "loss-threshold", "unit": "user"}, {"kind": "lira", "shadows": 2, "unit": "user", "layout": "sequential"}],
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
}


def test_users_of_a_federation_are_told_by_their_records_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, monkeypatch)
    ran = Ran(STUDY, monkeypatch)
    assert ran.outcome.exit_code == 0
    rows = ran.rows("main")
    data = ran.plan.store.open(ran.plan.trials[0].graph.data.key)
    users = {split: set(pd.read_parquet(data / f"{split}.parquet")["user"]) for split in ("train", "nonmembers")}
    assert not users["train"] & users["nonmembers"], "a user is held out whole"
    for attack in ("loss_threshold", "lira"):
        auc = rows[f"{attack}/auc"]
        assert auc.n == len(users["train"] | users["nonmembers"]) and auc.conditions["protocol"].startswith("members and non-members by a coin per user")
    steps = [node.step.name for node in ran.plan.graph]
    assert steps.count("federate") == 3, "the target and two shadows, by the kind's own training"


def test_shadows_of_a_private_federation_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack is on the mechanism: shadows trained without it would judge another model. The AUC of any user lies under the ceiling of epsilon 1, or
    chance (250 users: a deviation of 0.04) put it there: 5 deviations, false alarm 6e-7."""
    at(tmp_path, monkeypatch)
    private = {"kind": "dp-fedavg", "target_epsilon": 1.0, "clipping": {"rule": {"kind": "flat", "l2_clip_norm": 1.0}}}
    coins = {"selection": {"kind": "uniform", "design": "poisson"}, "correction": {"kind": "equal"}}
    ran = Ran({**STUDY, "name": "private-users", "privacy": private, "federation": {**STUDY["federation"], **coins, "rounds": 3}}, monkeypatch)
    assert ran.outcome.exit_code == 0
    rows = ran.rows("main")
    federated = [node.config for node in ran.plan.graph if node.step.name == "federate"]
    assert len(federated) == 3 and {config.privacy.kind for config in federated} == {"dp-fedavg"}  # type: ignore[attr-defined]
    ceiling = rows["auc_ceiling"].value
    assert rows["epsilon"].value == pytest.approx(1.0, abs=0.01) and rows["epsilon"].conditions["unit"] == "user" and ceiling is not None
    for attack in ("loss_threshold", "lira"):
        auc = rows[f"{attack}/auc"].value
        assert auc is not None and auc < ceiling + 0.2


def test_a_coin_per_user_is_asked_for(prepare: Prepare) -> None:
    block = {name: held for name, held in STUDY["data"].items() if name != "attack_holdout_by"}
    with pytest.raises(SpecErrors, match="a user whose records are drawn one by one"):
        load_mapping({**STUDY, "data": block})
    facts = prepare(STUDY["data"]).facts
    assert abs(facts["users"]["train"] - 150) < 60 and json.dumps(facts["counts"])


def test_data_without_users_cannot_hold_users_out(prepare: Prepare, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"say {index},{index % 2}\n" for index in range(20)))
    pools = {"public_size": 10, "attack_holdout": 10, "attack_holdout_by": "user"}
    with pytest.raises(DataError, match="records name none"):
        prepare({"kind": "files", "task": "intent", "columns": {"text": "text", "label": "label"}, "train": path, "test": path, **pools})
