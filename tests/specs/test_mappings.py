"""A study given as plain values instead of a file is read as strictly, and its errors name paths without lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specs.errors import SpecErrors
from specs.loading import load, load_mapping
from specs.reading import DEEPEST
from tests.specs.given import SMALL, TABLE, write

VALUES: dict[str, Any] = {
    "kind": "dp-training",
    "name": "small",
    "data": {"kind": "synthetic-assistant", "examples": 100, "task": "intent"},
    "model": {"kind": "linear"},
}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def message(values: Any) -> str:
    with pytest.raises(SpecErrors) as caught:
        load_mapping(values)
    (error,) = caught.value.errors
    assert error.line is None and str(error).isprintable()
    return str(error)


def test_a_mapping_means_what_the_file_means(tmp_path: Path) -> None:
    assert load_mapping(VALUES).study == load(write(tmp_path, SMALL)).study


def test_the_values_given_are_not_changed() -> None:
    values = {**VALUES, "sweep": {"arms": {"a": {"model.tokenizer.buckets": 32}}}}
    before = repr(values)
    load_mapping(values)
    assert repr(values) == before


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"version": 0}, "study: version: must be at least 1 (got 0)"),
        ({"version": "1"}, "study: version: must be a whole number (got '1')"),
        ({"training": {"epochs": float("nan")}}, "study: is not made of plain values: "),
        ({"question": b"x"}, "study: is not made of plain values: "),
        ({"question": "\ud800"}, "study: is not made of plain values: "),
        ({("a", "b"): 1}, "study: is not made of plain values: "),
        ({1: 2}, "study: 1: unknown key"),
        ({"training": nested(DEEPEST)}, f"study: is nested deeper than {DEEPEST} levels"),
        ({"sweep": {"arms": {"a": {"training": nested(400)}}}}, f"study: is nested deeper than {DEEPEST} levels"),
        ({"training": nested(100_000)}, "study: is not made of plain values: "),
    ],
)
def test_what_is_wrong_is_one_line_with_its_path(extra: dict[Any, Any], expected: str) -> None:
    assert message({**VALUES, **extra}).startswith(expected)


def test_values_within_themselves_are_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    assert message({**VALUES, "training": loop}).startswith("study: is not made of plain values")


@pytest.mark.parametrize("values", [[], [VALUES], "kind: dp-training", None, 5])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    assert message(values) == "study: a spec is a block of keys, beginning with 'kind:'"


def test_relative_paths_begin_at_the_folder(tmp_path: Path) -> None:
    write(tmp_path, TABLE, "t.csv")
    values = {**VALUES, "data": {"kind": "files", "train": "t.csv", "columns": {"text": "utterance", "label": "intent"}}}
    assert load_mapping(values, folder=tmp_path).study.model_dump()["data"]["train"] == tmp_path / "t.csv"
    with pytest.raises(SpecErrors, match=r"data\.train: no such file: t\.csv"):
        load_mapping(values, folder=tmp_path / "none")


def test_execution_can_be_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL + "execution: {device: cpu, processes: 3}\n")
    found = load(path, execution={"processes": 5}).study.execution
    assert (found.device, found.processes) == ("cpu", 5)
    with pytest.raises(SpecErrors) as caught:
        load(path, execution={"processes": 0})
    (error,) = caught.value.errors
    assert (error.line, error.path) == (5, "execution.processes")
