"""The same study with and without secure aggregation: the same model to the stated precision, what it costs, and no loss of a device in its log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import load_file

from pipelines.planning import make_plan
from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.core.measures import Measures
from tasks.federated.federating import LOG
from tests.pipelines.inline import at, run

ROUNDS, BITS = 3, 26
STUDY: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "secure",
    "data": {"kind": "synthetic-assistant", "examples": 300, "users": 30, "task": "intent", "public_size": 200},
    "partition": {"kind": "natural"},
    "model": {"kind": "linear", "bigram_buckets": 0, "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 16}},
    "federation": {
        "rounds": ROUNDS,
        "cohort_size": 8,
        "stragglers": {"over_selection": 1.25},
        "engine": {"kind": "in-process", "layout": "sequential"},
        "client": {"batch_size": 8, "optimizer": {"kind": "sgd", "learning_rate": 0.5}},
    },
    "utility": [{"kind": "accuracy"}],
    "fairness": [],
    "attacks": [],
    "sweep": {"seeds": [0], "arms": {"plain": {}, "secure": {"federation.secure_aggregation": {"bits": BITS}}}},
}


def test_the_model_is_the_same_to_the_stated_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is linear and three rounds long: beside m / 2^(bits + 1) a round, float32 rounds by 2^-24 of numbers below 1, a few times."""
    at(tmp_path, monkeypatch)
    assert run(STUDY, monkeypatch).exit_code == 0
    plan = make_plan(load_mapping(STUDY))
    trials = {planned.trial.arm: planned for planned in plan.trials}
    folders = {arm: plan.store.open(planned.graph.model.key) for arm, planned in trials.items()}
    models = {arm: {path.name: load_file(path) for path in folder.glob("*.safetensors")} for arm, folder in folders.items()}
    assert models["plain"] and {*models["plain"]} == {*models["secure"]}
    for name, tensors in models["plain"].items():
        for key, tensor in tensors.items():
            assert float((tensor - models["secure"][name][key]).abs().max()) <= ROUNDS * (8 * 2.0 ** -(BITS + 1) + 8 * 2.0**-24)
    logs = {arm: pd.read_parquet(folder / LOG) for arm, folder in folders.items()}
    assert logs["secure"]["mean_loss"].isna().all() and logs["plain"]["mean_loss"].notna().sum() == 8 * ROUNDS
    assert len(logs["secure"]) == 10 * ROUNDS and logs["secure"]["client"].equals(logs["plain"]["client"])
    sent = {arm: next(row.value for row in Measures.load_rows(folder) if row.name == "cost/uploaded_mib") for arm, folder in folders.items()}
    assert (sent["secure"] or 0) > 2 * (sent["plain"] or 0), "64 bits a number, keys and shares"


def test_secret_randomness_needs_something_to_keep_secret() -> None:
    secret = {**STUDY, "randomness": "secret", "sweep": {"seeds": [0]}}
    with pytest.raises(SpecErrors, match="STUDY-01"):
        load_mapping(secret)
    secure = load_mapping({**secret, "federation": {**STUDY["federation"], "secure_aggregation": {}}})
    (planned,) = make_plan(secure).trials
    assert planned.graph.model.config.randomness == "secret"
