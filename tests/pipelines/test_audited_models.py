"""The models of an audit: told of the same records by coins of their own, trained apart from the study's secrets, keys and people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipelines.dags.dp_training import train
from pipelines.dags.needs import measure
from specs.loading import load_mapping
from tasks.core.graph import Call, Graph, with_inputs
from tasks.core.measures import InsertedRecords, Measurement, Measures, Need, Row
from tasks.core.store import open_store
from tasks.data.prepared import PreparedData
from tasks.runtime.execution import execute

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "audited",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent", "public_size": 160, "population": "people"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1},
    "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0, "unit": {"kind": "user"}},
    "randomness": "secret",
    "canaries": {"kind": "digits", "count": 2},
    "attacks": [],
}


class TwoAudited(Measurement):
    """What two audited models were told, and what they say."""

    kind: Literal["two-audited"]

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        return (InsertedRecords(count=30, runs=2, own_users=True),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        trained = [PreparedData(needed[f"audited/{index}/data"]) for index in range(2)]
        (one, other), said = [found.split("canaries") for found in trained], [pd.read_parquet(needed[f"audited/{i}"] / "predictions.parquet") for i in range(2)]
        numbers = {
            "same texts": one["text"].equals(other["text"]),
            "same coins": one["included"].equals(other["included"]),
            "members": sum(_members(found) == set(listed.loc[listed["included"], "id"]) for found, listed in zip(trained, (one, other), strict=True)),
            "users": len(set(one["user"])),
            "told of": sum(said[index]["id"].equals(one["id"]) for index in range(2)),
            "same losses": said[0]["loss"].equals(said[1]["loss"]),
            "secrets of the target": len(PreparedData(data).split("canaries")),
        }
        return Measures(tuple(Row(name=name, value=float(value)) for name, value in numbers.items()))


def _members(data: PreparedData) -> set[str]:
    """The ids of whatever was inserted."""
    ids = data.split("train")["id"]
    return set(ids[ids.str.startswith("inserted-")])


def test_audited_models_are_told_of_the_same_records_by_coins_of_their_own(tmp_path: Path) -> None:
    store, graph, study = open_store(str(tmp_path / "store")), Graph("once"), load_mapping(STUDY).study
    node = measure(graph, TwoAudited(kind="two-audited"), study, 3, "target", partial(train, imported={}))
    trainings: list[Any] = [one.config for one in graph if one.step.name == "train"]
    assert sorted((config.randomness, config.submission or "") for config in trainings) == [("reproducible", ""), ("reproducible", ""), ("secret", "once")]
    prepared: list[Any] = [one.config for one in graph if one.step.name == "prepare"]
    assert sorted(config.data.population or "" for config in prepared) == ["", "people"]
    for one in with_inputs([node]):
        inputs = {name: needed.key for name, needed in one.inputs.items()}
        assert execute(Call(one.step, one.config, inputs, one.seed, one.key, one.label, one.shape, "cpu", None, store.url, ""))
    found = {row.name: row.value for row in Measures.load_rows(store.open(node.key))}
    assert found == {"same texts": 1, "same coins": 0, "members": 2, "users": 30, "told of": 2, "same losses": 0, "secrets of the target": 2}
