"""How soon a training is level with its reference, read from the checks of both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tasks.core.measures import Row
from tasks.federated.catching_up import catch_up_measures
from tasks.federated.federating import SCORES
from tasks.federated.steps import CatchUpConfig
from tasks.utility.metric import UTILITY, UtilityMetric

ROUNDS = (0, 10, 20, 25, 30, 35, 40)
REFERENCE = (5.0, 4.0, 3.5, 3.4, 3.3, 3.2, 3.1)


def folder(place: Path, scores: tuple[float, ...]) -> Path:
    place.mkdir()
    table = pd.DataFrame({"round": ROUNDS, "window": -1, "score": scores, "n": 9})
    per_window = table.assign(window=0, score=0.0)
    pd.concat([table, per_window]).to_parquet(place / SCORES, index=False)
    return place


def caught_up(tmp_path: Path, own: tuple[float, ...], start: int = 20, hold: int = 2) -> Row:
    metric = UTILITY.parse({"kind": "bits-per-byte"})
    assert isinstance(metric, UtilityMetric)
    config = CatchUpConfig(start=start, margin=0.05, hold=hold, metric=metric)
    (row,) = catch_up_measures(config, folder(tmp_path / "own", own), folder(tmp_path / "reference", REFERENCE)).rows
    assert row.name == "federated/rounds_to_catch_up" and row.direction == "lower"
    return row


def test_rounds_of_the_last_window_are_counted(tmp_path: Path) -> None:
    assert caught_up(tmp_path, (5.0, 4.5, 3.9, 3.6, 3.34, 3.24, 3.0)).value == 10


def test_a_start_that_is_level_by_chance_does_not_count_where_it_is_not_held(tmp_path: Path) -> None:
    assert caught_up(tmp_path, (5.0, 4.5, 3.5, 3.6, 3.6, 3.24, 3.0)).value == 15


@pytest.mark.parametrize("own", [(5.0, 4.5, 3.9, 3.6, 3.5, 3.4, 3.0), (5.0, 4.5, 3.9, float("nan"), 3.5, 3.4, 3.3)])
def test_a_training_that_is_never_level_has_no_number_and_says_so(tmp_path: Path, own: tuple[float, ...]) -> None:
    row = caught_up(tmp_path, own)
    assert row.value is None and row.status == "undefined" and row.reason == "not caught up in 20 rounds"
