"""Flower's simulation: the cohorts and the model of the in-process engine, and nothing left running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.errors import UserError
from tasks.federated.flower.fleet import NodeFailed
from tasks.federated.flower.layout import FlowerLayout
from tasks.federated.flower.simulation import simulated
from tests.conftest import Prepare
from tests.federated.nodes import DATA, federation, folders, training
from tests.federated.processes import assert_nothing_outlives, left, mark, marked
from tests.federated.test_flower import STUDIES, devices, equal, ran

WAIT = 400.0
"""Seconds that Ray and the nodes may take to begin where other work is going on."""

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""Ray leaves files to the garbage collector."""


@pytest.fixture(scope="module")
def inputs(prepare: Prepare, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(prepare(DATA), tmp_path_factory.mktemp("inputs"))


def test_without_ray_it_says_what_to_install(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs Ray: install assay\[flower\]"), simulated(inputs, 2, 2, "cpu", 1.0):
        pass


@pytest.mark.served
def test_a_simulation_gives_the_cohorts_and_the_model_of_the_in_process_engine(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = mark(monkeypatch)
    with simulated(inputs, devices(inputs), 2, "cpu", WAIT) as found:
        for study in ("uniform", "activity", "empty-rounds"):
            block = federation(**STUDIES[study])
            here = ran(training(inputs, tmp_path / study / "here", block))
            there = ran(training(inputs, tmp_path / study / "there", block, lambda work, told: FlowerLayout(work, found, told, "fail")))
            assert equal(here, there), study
        assert len(marked(name)) > 3
    assert left(name) == []


@pytest.mark.slow
def test_a_simulation_whose_processes_are_killed_ends_the_training_and_leaves_nothing(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = mark(monkeypatch)
    with simulated(inputs, 2, 2, "cpu", 60.0) as found:
        rounds = training(inputs, tmp_path, federation(), lambda work, told: FlowerLayout(work, found, told, "complete"))
        rounds.round(0)
        actors = [process for process in marked(name) if "ClientAppActor" in " ".join(process.cmdline())]
        assert len(actors) == 2
        for actor in actors:
            actor.kill()
        with pytest.raises(NodeFailed, match=r"node \d failed"):
            rounds.round(1)
    assert left(name) == []


@pytest.mark.slow
def test_nothing_is_left_of_a_step_that_was_killed(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: str(path) for name, path in inputs.items()}
    assert_nothing_outlives("simulation", f"simulated({given!r}, 2, 2, 'cpu', {WAIT})", monkeypatch)
