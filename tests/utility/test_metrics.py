"""Every utility metric equals another library's, or a plain loop."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import seqeval.metrics
import sklearn.metrics

from tests.utility.predictions import measured, row, table

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_is_that_of_scikit_learn(seed: int, tmp_path: Path) -> None:
    found = table(seed=seed)
    assert row("accuracy", found, tmp_path).value == pytest.approx(sklearn.metrics.accuracy_score(found["label"], found["predicted"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_macro_f1_is_that_of_scikit_learn(seed: int, tmp_path: Path) -> None:
    """Labels that are only given, or only predicted, count with 0 in both."""
    found = table(seed=seed)
    assert "d" not in set(found["predicted"][found["label"] != "d"]) and "e" not in set(found["label"])
    expected = sklearn.metrics.f1_score(found["label"], found["predicted"], average="macro", zero_division=0)
    assert row("macro-f1", found, tmp_path).value == pytest.approx(expected)
    micro = sklearn.metrics.f1_score(found["label"], found["predicted"], average="micro", zero_division=0)
    assert abs(expected - micro) > 0.01  # so that another average would be seen


@pytest.mark.parametrize("seed", SEEDS)
def test_slot_f1_is_that_of_seqeval(seed: int, tmp_path: Path) -> None:
    found = table(seed=seed)
    expected = seqeval.metrics.f1_score(found["slots"].tolist(), found["predicted_slots"].tolist())
    assert row("slot-f1", found, tmp_path).value == pytest.approx(expected)
    words = [tag == guess for given, guessed in zip(found["slots"], found["predicted_slots"], strict=True) for tag, guess in zip(given, guessed, strict=True)]
    assert abs(expected - sum(words) / len(words)) > 0.01  # so that counting words would be seen


def test_a_slot_at_the_end_of_a_record_does_not_run_into_the_next(tmp_path: Path) -> None:
    slots = [["O", "B-x"], ["I-x", "O"]] * 20
    found = pd.DataFrame({"id": range(40), "slots": slots, "predicted_slots": [["O", "B-x"], ["O", "O"]] * 20})
    assert row("slot-f1", found, tmp_path).value == pytest.approx(2 * 20 / (20 + 40))


@pytest.mark.parametrize("seed", SEEDS)
def test_loss_and_bits_per_byte_are_those_of_a_loop(seed: int, tmp_path: Path) -> None:
    found = table(seed=seed)
    total = bits = size = 0.0
    for record in found.itertuples():
        total += float(record.loss)  # type: ignore[arg-type]
        bits += float(record.nats) / math.log(2)  # type: ignore[arg-type]
        size += float(record.bytes)  # type: ignore[arg-type]
    assert row("loss", found, tmp_path / "a", "lm").value == pytest.approx(total / len(found))
    assert row("bits-per-byte", found, tmp_path / "b", "lm").value == pytest.approx(bits / size)
    each = (found["nats"] / math.log(2) / found["bytes"]).mean()
    assert abs(bits / size - each) > 0.01  # a mean over records would be seen


@pytest.mark.parametrize(
    ("kind", "task", "direction", "highest"),
    [
        ("accuracy", "intent", "higher", 1.0),
        ("macro-f1", "intent", "higher", 1.0),
        ("slot-f1", "tagging", "higher", 1.0),
        ("loss", "intent", "lower", None),
        ("bits-per-byte", "lm", "lower", None),
    ],
)
def test_a_row_carries_its_conditions(kind: str, task: str, direction: str, highest: float | None, tmp_path: Path) -> None:
    found = table()
    measures = measured(kind, found, tmp_path, task)
    [one] = measures.rows
    assert one.name == f"utility/{kind.replace('-', '_')}" and (one.direction, one.lowest, one.highest) == (direction, 0.0, highest)
    assert one.conditions.items() >= {"data": "d", "split": "test"}.items() and one.n == len(found)
    assert ("task" in one.conditions) == (kind == "loss")  # the same name means another sum for each task
    assert one.interval == "items" and one.low is not None and one.high is not None and one.value is not None and one.low < one.value < one.high
    assert list(measures.items["id"]) == list(found["id"]) and all(len(column) == len(found) for column in measures.items.values())
    assert not {"text", "tokens", "user"} & set(measures.items)


def test_a_label_replaces_the_kind_in_the_name(tmp_path: Path) -> None:
    assert row("accuracy", table(), tmp_path, label="top-1").name == "utility/top_1"


def test_the_same_seed_gives_the_same_interval(tmp_path: Path) -> None:
    found = [row("macro-f1", table(), tmp_path, seed=seed) for seed in (0, 0, 1)]
    assert (found[0].low, found[0].high) == (found[1].low, found[1].high) != (found[2].low, found[2].high)
