"""Flower's simulation: the cohorts and the model of the in-process engine, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.federated.flower.fleet import Fleet, NodeFailed
from tasks.federated.flower.layout import FlowerLayout
from tasks.federated.flower.simulation import simulated
from tasks.federated.flower.superlink import APP
from tests.conftest import Prepare
from tests.federated.nodes import DATA, federation, folders, training
from tests.federated.processes import left, mark, marked
from tests.federated.test_flower import STUDIES, devices, equal, ran

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""Ray leaves files to the garbage collector."""
CHECKOUT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from tasks.federated.flower.{module} import {opener}
with {opener}({arguments}) as fleet:
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def inputs(prepare: Prepare, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(prepare(DATA), tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def fleet(inputs: dict[str, Path]) -> Iterator[Fleet]:
    with pytest.MonkeyPatch.context() as patch:
        name = mark(patch)
        with simulated(inputs, devices(inputs), 2, "cpu", 120.0) as found:
            yield found
        assert left(name) == []


def test_one_app_is_named_for_both_engines() -> None:
    assert "tasks.federated.flower.client_app:app" in APP


@pytest.mark.served
@pytest.mark.parametrize("study", ["uniform", "activity", "empty-rounds"])
def test_a_simulation_gives_the_cohorts_and_the_model_of_the_in_process_engine(study: str, fleet: Fleet, inputs: dict[str, Path], tmp_path: Path) -> None:
    block = federation(**STUDIES[study])
    here = ran(training(inputs, tmp_path / "here", block))
    assert equal(here, ran(training(inputs, tmp_path / "there", block, lambda work, told: FlowerLayout(work, fleet, told, "fail"))))


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
    killed(HOLD.format(module="simulation", opener="simulated", arguments=f"{given!r}, 2, 2, 'cpu', 120.0"), monkeypatch)


def killed(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill a program that holds an engine open; everything that it started ends."""
    name = mark(monkeypatch)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    assert len(marked(name)) > 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert left(name, within=60.0) == []
