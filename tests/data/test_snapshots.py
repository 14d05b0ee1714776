"""Which data is tonight's, and records of some days alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from tasks.core.roots import CONTEXT
from tasks.data.dataset import DATASETS, DataError, Dataset
from tasks.data.periods import newest_day
from tasks.data.prepared import PreparedData
from tasks.data.snapshot import SNAPSHOTS, Found, Snapshot

Prepare = Callable[..., PreparedData]
ABSENT = Path("absent")
SYNTHETIC = {"kind": "synthetic-assistant", "examples": 400, "task": "intent"}


def dataset(values: dict[str, Any]) -> Dataset:
    found = DATASETS.parse(values)
    assert isinstance(found, Dataset)
    return found


def found(snapshot: dict[str, Any], data: Dataset, folder: Path, *known: str, **context: Any) -> Found:
    way = SNAPSHOTS.parse(snapshot)
    assert isinstance(way, Snapshot)
    return way.tonight(data, {"folder": folder, **context}, ABSENT, known.__contains__)


def tables(folder: Path, *names: str) -> Dataset:
    """Data of kind files, and snapshots beside it, each with a text of its own."""
    for name in ("base.csv", *names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"text,label\n{name},a\nother,b\n")
    return dataset({"kind": "files", "train": str(folder / "base.csv"), "test": str(folder / "base.csv"), "columns": {"text": "text", "label": "label"}})


def test_the_newest_file_is_the_last_by_name_with_numbers_as_numbers(tmp_path: Path) -> None:
    data = tables(tmp_path, "snapshots/day-9.csv", "snapshots/day-10.csv", "snapshots/day-2.csv")
    newest = found({"kind": "newest-files", "pattern": "snapshots/*.csv"}, data, tmp_path)
    assert newest.words == "day-10.csv" and newest.data.train.name == "day-10.csv"  # type: ignore[attr-defined]
    assert newest.data.test == data.test  # type: ignore[attr-defined]


def test_the_newest_file_by_the_time_of_its_change(tmp_path: Path) -> None:
    data = tables(tmp_path, "snapshots/a.csv", "snapshots/b.csv")
    os.utime(tmp_path / "snapshots" / "a.csv", (2e9, 2e9))
    assert found({"kind": "newest-files", "pattern": "snapshots/*.csv", "by": "modified"}, data, tmp_path).words == "a.csv"


def test_the_same_bytes_under_another_name_are_the_same_data(tmp_path: Path) -> None:
    data = tables(tmp_path, "snapshots/a.csv")
    way = {"kind": "newest-files", "pattern": "snapshots/*.csv"}
    first = found(way, data, tmp_path)
    (tmp_path / "snapshots" / "b.csv").write_bytes((tmp_path / "snapshots" / "a.csv").read_bytes())
    again = found(way, data, tmp_path)
    assert again.words == "b.csv" and again.identity == first.identity
    (tmp_path / "snapshots" / "b.csv").write_text("text,label\nnew,a\nother,b\n")
    assert found(way, data, tmp_path).identity != first.identity


def test_what_is_not_there_or_does_not_fit_is_said(tmp_path: Path) -> None:
    data = tables(tmp_path)
    with pytest.raises(DataError, match=r"no file fits snapshots/\*.csv \(looked in "):
        found({"kind": "newest-files", "pattern": "snapshots/*.csv"}, data, tmp_path)
    with pytest.raises(DataError, match="gives a file to data of kind files, and the study's is synthetic-assistant"):
        found({"kind": "newest-files", "pattern": "*.csv"}, dataset(SYNTHETIC), tmp_path)
    (tmp_path / "wrong.csv").write_text("utterance,label\na,b\n")
    with pytest.raises(DataError, match="has no column 'text'"):
        found({"kind": "newest-files", "pattern": "wrong*.csv"}, data, tmp_path)


def test_a_snapshot_outside_the_readable_folders_is_refused(tmp_path: Path) -> None:
    data = tables(tmp_path, "snapshots/a.csv")
    way = {"kind": "newest-files", "pattern": "snapshots/*.csv"}
    assert found(way, data, tmp_path, **{CONTEXT: (tmp_path,)}).words == "a.csv"
    for pattern in ("snapshots/*.csv", "nowhere/*.csv", f"{tmp_path}/*", "../*"):  # whether anything is there is not told
        with pytest.raises(DataError, match="outside the folders"):
            found({**way, "pattern": pattern}, data, tmp_path, **{CONTEXT: (tmp_path / "elsewhere",)})


def test_a_replay_takes_the_next_night_and_stays_at_the_last() -> None:
    way = {"kind": "replay", "nights": [{"seed": 1}, {"seed": 2, "period.until": "2025-06-30"}]}
    data = dataset(SYNTHETIC)
    first = found(way, data, ABSENT)
    second = found(way, data, ABSENT, first.identity)
    assert (first.data.seed, first.words) == (1, "1 of 2 (seed 1)")  # type: ignore[attr-defined]
    assert second.data.seed == 2 and second.data.period is not None and "period.until 2025-06-30" in second.words  # type: ignore[attr-defined]
    assert found(way, data, ABSENT, first.identity, second.identity).identity == second.identity


def test_a_field_that_the_data_does_not_have_is_named() -> None:
    with pytest.raises(DataError, match=r"data\.sed: Extra inputs"):
        found({"kind": "replay", "nights": [{"sed": 1}]}, dataset(SYNTHETIC), ABSENT)


def test_a_window_is_counted_back_from_the_newest_record(prepare: Prepare) -> None:
    data = dataset(SYNTHETIC)
    newest = newest_day(data, ABSENT)
    window = found({"kind": "window", "by": "time", "last": "30d"}, data, ABSENT)
    assert window.data.period is not None and window.data.period.until == newest
    kept = prepare(window.data.model_dump(mode="json"))
    whole = prepare(SYNTHETIC)
    for split in ("train", "test"):
        days = pd.to_datetime(whole.split(split)["time"], utc=True)
        last = pd.Timestamp(newest, tz="UTC") - pd.Timedelta(days=29)
        assert sorted(kept.split(split)["id"]) == sorted(whole.split(split)["id"][days >= last])
    assert 0 < len(kept.split("train")) < len(whole.split("train"))
    weeks = found({"kind": "window", "by": "time", "last": "2w"}, data, ABSENT)
    assert weeks.data.period is not None and weeks.data.period.since is not None and (newest - weeks.data.period.since).days == 13


def test_a_period_needs_times_that_can_be_read(tmp_path: Path) -> None:
    timeless = tables(tmp_path).model_copy(update={"period": dataset({**SYNTHETIC, "period": {"until": "2025-01-02"}}).period})
    assert timeless.period is not None
    with pytest.raises(DataError, match="these have none"):
        timeless.period.of(timeless.load(ABSENT).splits["train"], "files")
    with pytest.raises(DataError, match="the time of record 2 cannot be read"):
        timeless.period.of(pd.DataFrame({"time": ["2025-01-01", "yesterday"]}), "files")
    assert timeless.period.of(pd.DataFrame({"time": ["2025-01-02T23:59", "2025-01-03"]}), "files").index.tolist() == [0]


@pytest.mark.parametrize("period", [{}, {"since": "2025-02-01", "until": "2025-01-01"}, {"since": "soon"}])
def test_a_period_that_is_none_is_refused(period: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        dataset({**SYNTHETIC, "period": period})


def test_the_years_of_a_channel_grow(catalogue: Path, prepare: Prepare) -> None:
    sizes = [prepare({"kind": "ubuntu-irc", "period": {"until": f"{year}-12-31"}}, cache=catalogue).facts["counts"]["train"] for year in (2007, 2009)]
    assert 1000 < sizes[0] < sizes[1] < 216_655
