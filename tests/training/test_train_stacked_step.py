"""The steps of a stack: each model's artifact is that of its single training, and is handed out as one of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tasks.core.measures import Measures
from tasks.data.prepared import PreparedData
from tasks.models.artifact import load_model
from tasks.training.steps import ShadowConfig, TrainStackedConfig, shadow, train, train_stacked
from tests.conftest import NewRun, Prepare
from tests.training.stacks import SEEDS, config, largest_difference, pools


def stacked(data: list[PreparedData], new_run: NewRun, name: str, **training: Any) -> Path:
    """The artifact of a stack."""
    values = {**config(name, **training).model_dump(mode="json"), "seeds": SEEDS}
    run = new_run()
    train_stacked(TrainStackedConfig.model_validate(values), {f"data/{index}": one.folder for index, one in enumerate(data)}, 0, run)
    return run.folder


@pytest.fixture(scope="module")
def bilstm(prepare: Prepare, new_run: NewRun) -> tuple[list[PreparedData], Path]:
    data = pools("bilstm", prepare)
    return data, stacked(data, new_run, "bilstm")


def test_each_artifact_is_that_of_a_single_training(bilstm: tuple[list[PreparedData], Path], new_run: NewRun) -> None:
    data, folder = bilstm
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2"]
    for index, (seed, own) in enumerate(zip(SEEDS, data, strict=True)):
        run = new_run()
        train(config("bilstm"), {"data": own.folder}, seed, run)
        one, other = folder / str(index), run.folder
        assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
        for name in ("config.json", "labels.json", "privacy.json", "data.json", "tokenizer/config.json"):
            assert (one / name).read_text() == (other / name).read_text()
        assert largest_difference(*(load_file(found / "model.safetensors") for found in (one, other))) < 1e-4
        assert load_model(one, "cpu").shape.labels == own.labels


def test_costs_are_a_share_of_the_whole_and_say_so(bilstm: tuple[list[PreparedData], Path]) -> None:
    data, folder = bilstm
    for index, own in enumerate(data):
        rows = {row.name: row for row in Measures.load_rows(folder / str(index))}
        assert {row.conditions["stack"] for row in rows.values()} == {"3"}
        assert json.loads((folder / str(index) / "environment.json").read_text())["stack"] == 3
        seconds, rate = rows["cost/train_seconds"].value, rows["cost/examples_per_second"].value
        size = len(own.split("train"))
        steps = round(1.5 * -(-size // 16))
        assert seconds and rate and seconds * rate == pytest.approx(size + 16 * (steps - -(-size // 16)), abs=16)


@pytest.mark.parametrize("shares", [True, False])
def test_a_model_of_a_stack_is_handed_out_as_it_is(
    shares: bool, bilstm: tuple[list[PreparedData], Path], new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system that shares files, and on one that does not."""
    _, folder = bilstm

    def refuses(source: str, target: str) -> None:
        raise OSError("cross-device link")

    if not shares:
        monkeypatch.setattr(os, "link", refuses)
    run = new_run()
    shadow(ShadowConfig(index=1), {"stack": folder}, 0, run)
    given = {path.relative_to(folder / "1"): path for path in (folder / "1").rglob("*") if path.is_file()}
    found = {path.relative_to(run.folder): path for path in run.folder.rglob("*") if path.is_file()}
    assert found.keys() == given.keys()
    assert all(found[name].read_bytes() == given[name].read_bytes() and found[name].samefile(given[name]) == shares for name in given)
