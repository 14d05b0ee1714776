"""The steps that prepare data, load, check, pool, write, and that insert canaries into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import SerializeAsAny

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.data.dataset import DATASETS, Dataset
from tasks.data.insertion import Insertion


class PrepareConfig(StepConfig):
    """Which data."""

    data: Annotated[Dataset, OneOf(DATASETS)]


def seed_matters(data: Dataset) -> bool:
    """Whether the trial's seed decides anything: only the coin of the pools does."""
    return data.attack_holdout > 0


def prepare(config: PrepareConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write one Parquet file per split and ``data.json``."""
    from tasks.core.places import data_folder
    from tasks.data.preparing import write_prepared

    run.report.progress(0, 1, f"loading {config.data.kind}")
    write_prepared(config.data, config.data.load(data_folder()), seed, run.folder)


PREPARE = Step("prepare", prepare, PrepareConfig)


class InsertConfig(StepConfig):
    """What is inserted."""

    insertion: SerializeAsAny[Insertion]


def insert(config: InsertConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the prepared ``data`` with canaries among its records."""
    from tasks.data.inserting import write_inserted
    from tasks.data.prepared import PreparedData

    write_inserted(config.insertion, PreparedData(inputs["data"]), seed, run.folder)


INSERT = Step("insert", insert, InsertConfig)
