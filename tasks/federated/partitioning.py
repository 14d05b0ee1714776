"""From prepared data to a population: every record gets a device and a window."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.data.dataset import DataError
from tasks.data.prepared import PreparedData
from tasks.federated.partition import Partition
from tasks.federated.population import Population, build
from tasks.federated.timeline import Stream, Timeline

DEALT = "partition.json"


def write_population(partition: Partition, timeline: Timeline, prepared: PreparedData, seed: int, folder: Path) -> None:
    """Deal the training and test records to devices and windows. Raises DataError."""
    train, test = prepared.split("train"), prepared.split("test")
    absent = [column for column in partition.columns if column not in train]
    if absent:
        raise DataError(f"partition {partition.kind}: the data has no column {' and '.join(absent)}")
    whole, tested = np.zeros(len(train), dtype=np.int64), np.zeros(len(test), dtype=np.int64)
    population = build(partition, train, test, whole, tested, seed)
    if not len(population.names):
        raise DataError(f"partition {partition.kind}: no device holds a record; lower minimum_examples")
    train_window, test_window = timeline.windows_of([_times(train), _times(test)], population.train)
    population = replace(population, train_window=train_window, test_window=test_window)
    population.save(folder)
    (folder / DEALT).write_text(json.dumps({"partition": said(partition)}) + "\n")


def said(partition: Partition) -> str:
    """A partition in one line: what two numbers about devices must share to stand in one column, whatever the seed."""
    fields = partition.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
    return " ".join([partition.kind, *(f"{name}={value}" for name, value in fields.items())])


def dealt_by(folder: Path) -> str:
    """The partition that made a population."""
    found: str = json.loads((folder / DEALT).read_text())["partition"]
    return found


def stream_of(population: Population, train: pd.DataFrame) -> Stream:
    """The training records as devices receive them."""
    times = _times(train)
    place = np.arange(len(train))
    by_time = np.lexsort((place, times.astype(str)))
    order = np.empty(len(train), dtype=np.int64)
    order[by_time] = place
    return Stream(population.train, population.train_window, order, len(population.names))


def _times(records: pd.DataFrame) -> NDArray[np.object_]:
    """(R,) times as text; None where the data has none."""
    if "time" in records:
        return records["time"].to_numpy(dtype=object)
    return np.full(len(records), None, dtype=object)
