"""Utility by activity, against pandas, with too little evidence said to be so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.measures import Row
from tasks.federated.partitioning import DEALT
from tasks.federated.population import Population
from tasks.federated.steps import StrataConfig
from tasks.federated.strata import strata_measures
from tasks.federated.timeline import TIMELINES, Timeline

DEVICES = 200


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions that are the better the more active a device is, and a population of very unequal devices."""
    generator = np.random.default_rng(0)
    owner = np.repeat(np.arange(DEVICES), np.arange(DEVICES) // 8)
    train = np.repeat(owner, 2)
    right = generator.random(len(owner)) < 0.3 + 0.6 * owner / DEVICES
    table = pd.DataFrame({"id": [f"r{index}" for index in range(len(owner))], "label": "a", "predicted": np.where(right, "a", "b"), "loss": 1.0})
    predicted, population = tmp_path / "predicted", tmp_path / "population"
    predicted.mkdir()
    population.mkdir()
    table.to_parquet(predicted / "predictions.parquet", index=False)
    (predicted / "predictions.json").write_text(json.dumps({"split": "test", "n": len(table), "data": "d", "task": "intent"}))
    nowhere = np.zeros(len(train), dtype=np.int64), np.zeros(len(owner), dtype=np.int64)
    Population(tuple(f"d{index:03}" for index in range(DEVICES)), train, owner, *nowhere).save(population)
    (population / DEALT).write_text('{"partition": "natural column=user"}')
    return predicted, population


STATIC: dict[str, Any] = {"kind": "static"}
ERASING: dict[str, Any] = {"kind": "continual", "windows": 2, "retention": {"kind": "erase", "share": 0.25, "window": 1}}


def rows(folders: tuple[Path, Path], *kinds: str, timeline: dict[str, Any] = STATIC, **evaluation: Any) -> dict[str, Row]:
    metrics = [{"kind": kind} for kind in kinds]
    config = StrataConfig.model_validate({"metrics": metrics, "evaluation": {"kind": "central", **evaluation}, "timeline": timeline})
    found = strata_measures(config, *folders, 0)
    return {row.name: row for row in found.rows}


def test_each_decile_is_the_score_of_its_own_records(folders: tuple[Path, Path]) -> None:
    found = rows(folders, "accuracy")
    table, there = pd.read_parquet(folders[0] / "predictions.parquet"), Population.load(folders[1])
    decile = pd.Series(there.deciles()[there.test])
    expected = (table["label"] == table["predicted"]).groupby(decile).mean()
    assert [found[f"utility/accuracy/decile_{number}"].value for number in range(3, 11)] == pytest.approx(expected.loc[3:].tolist())
    values = [found[f"utility/accuracy/decile_{number}"].value or 0.0 for number in (4, 10)]
    assert values[1] > values[0] + 0.2
    for number in range(3, 11):
        row = found[f"utility/accuracy/decile_{number}"]
        assert row.low is not None and row.value is not None and row.high is not None and row.low <= row.value <= row.high
        assert row.conditions["partition"] == "natural column=user"


def test_a_decile_with_few_records_has_no_number(folders: tuple[Path, Path]) -> None:
    row = rows(folders, "accuracy")["utility/accuracy/decile_1"]
    assert row.value is None and row.status == "insufficient_evidence" and "30 of 5 are needed" in str(row.reason)


def test_devices_that_hold_test_data_count_alike(folders: tuple[Path, Path]) -> None:
    assert not [name for name in rows(folders, "accuracy") if "device" in name]
    found = rows(folders, "accuracy", kind="federated")
    table, there = pd.read_parquet(folders[0] / "predictions.parquet"), Population.load(folders[1])
    own = (table["label"] == table["predicted"]).astype(float).groupby(there.test).mean()
    mean, worst = found["utility/accuracy/device_mean"], found["utility/accuracy/device_worst_decile"]
    assert mean.value == pytest.approx(own.mean()) and worst.value == pytest.approx(own.quantile(0.1)) and mean.n == DEVICES - 8
    pooled = float((table["label"] == table["predicted"]).mean())
    assert mean.value is not None and mean.value < pooled - 0.02, "the pooled score hides light devices"


def test_devices_that_left_stand_apart(folders: tuple[Path, Path]) -> None:
    found = rows(folders, "accuracy", kind="federated", timeline=ERASING)
    table, there = pd.read_parquet(folders[0] / "predictions.parquet"), Population.load(folders[1])
    rule = TIMELINES.parse(ERASING)
    assert isinstance(rule, Timeline)
    left = pd.Series(rule.erased(DEVICES, 1, 0)[there.test])
    right = (table["label"] == table["predicted"]).astype(float)
    own = right[~left].groupby(there.test[~left]).mean()
    assert found["utility/accuracy/device_mean"].value == pytest.approx(own.mean()) and found["utility/accuracy/device_mean"].n == len(own)
    decile = right[~left & (there.deciles()[there.test] == 10)]
    assert found["utility/accuracy/decile_10"].value == pytest.approx(decile.mean()) and found["utility/accuracy/decile_10"].n == len(decile)
    assert found["utility/accuracy/erased"].value == pytest.approx(right[left].mean()) and found["utility/accuracy/erased"].n == left.sum()
    assert "utility/accuracy/erased" not in rows(folders, "accuracy", kind="federated")
    few = {**ERASING, "retention": {**ERASING["retention"], "share": 0.001}}
    assert rows(folders, "accuracy", timeline=few)["utility/accuracy/erased"].status == "insufficient_evidence"


def test_metrics_of_other_tasks_are_left_out(folders: tuple[Path, Path]) -> None:
    assert not [name for name in rows(folders, "accuracy", "bits-per-byte") if "bits" in name]
