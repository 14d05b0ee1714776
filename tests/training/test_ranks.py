"""Several processes at one training: their steps and weights are those of one, noise is drawn once, no process outlives another, no key is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor, nn

from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.privacy.randomness import KEY_FILE
from tasks.training import checkpoint, helping, ranks, together
from tasks.training.private_gradient import PrivateGradient
from tasks.training.ranks import RankLost
from tasks.training.steps import TrainConfig
from tests.conftest import NewRun, Prepare
from tests.models.samples import farthest
from tests.training.private import KEPT, SEED, begun, block, config, done, occurrences, same_work
from tests.training.ranked import CASES, STILL, Asked, Case, ask_all, ask_all_by_two, noise_of
from tests.training.trainings import BILSTM, MOMENTUM, equal

EXACT = 1e-6
SECONDS = 30.0
"""Within which a training ends, one of whose processes was killed."""


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def data(prepare: Prepare) -> PreparedData:
    """With users, and with a validation split, which the synthetic data has not."""
    found = prepare(block("intent", users=30))
    found.split("test").to_parquet(found.folder / "validation.parquet", index=False)
    return PreparedData(found.folder)


@pytest.fixture(scope="module")
def steps(data: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, tuple[Asked, Asked]]:
    """Every step by one process and by two, which are begun once."""
    one, two = ask_all(data), ask_all_by_two(data, tmp_path_factory.mktemp("meeting"))
    return {case: (one[case], two[case]) for case in CASES}


def off(one: Asked, other: Asked) -> float:
    """How far two updates are from each other, over the largest number in them or one."""
    return farthest(one.update, other.update) / max(1.0, *(float(value.abs().max()) for value in one.update.values()))


@pytest.mark.parametrize("case", [case for case in CASES if not case.noisy], ids=str)
def test_a_step_of_two_processes_is_that_of_one(case: Case, steps: dict[Case, tuple[Asked, Asked]]) -> None:
    """Shares of users and micro-batches are never cut in two, a weight that takes no part stays without a gradient, a clip norm moves alike."""
    one, two = steps[case]
    assert off(one, two) < EXACT
    assert (one.loss is None) == (two.loss is None) == (case.count == 0)
    assert (two.loss or 0.0) == pytest.approx(one.loss or 0.0, rel=EXACT) and two.kept == pytest.approx(one.kept, rel=EXACT)


def test_noise_is_there_once_and_twice_would_be_seen(steps: dict[Case, tuple[Asked, Asked]], data: PreparedData, new_run: NewRun) -> None:
    noise = noise_of(begun(config(STILL, "book-keeping"), data, new_run())[3])
    assert off(steps[Case("book-keeping", 0)][1], Asked(noise, None)) < EXACT
    for count in (0, 12):
        one, two = steps[Case("book-keeping", count, noisy=True)]
        assert off(one, two) > 0.1
        assert farthest({name: two.update[name] - one.update[name] for name in noise}, noise) < 10 * EXACT


def test_users_whose_examples_were_clipped_one_by_one_would_be_seen(steps: dict[Case, tuple[Asked, Asked]]) -> None:
    assert off(steps[Case("users", 23, 4)][1], steps[Case("book-keeping", 23, 4)][1]) > 1e-3


def by(processes: int, run: StepRun) -> StepRun:
    return replace(run, processes=processes)


def plain(**training: Any) -> TrainConfig:
    block = {"epochs": 4, "expected_batch_size": 25, "optimizer": MOMENTUM, "precision": "fp32", **training}
    return TrainConfig.model_validate({"model": STILL, "training": block, "privacy": {"kind": "none"}, "randomness": "reproducible"})


TRAININGS: dict[str, TrainConfig] = {
    "private": config(STILL, "book-keeping"),
    "plain": plain(early_stopping={"metric": "loss", "patience": 1}, optimizer={**MOMENTUM, "learning_rate": 1.0}),
}


@pytest.mark.parametrize("name", ["private", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_training_by_two_processes_ends_in_the_weights_of_one(name: str, data: PreparedData, new_run: NewRun) -> None:
    """Though one process alone says which epoch was the best."""
    one, two = new_run(), by(2, new_run())
    assert farthest(done(TRAININGS[name], data, one), done(TRAININGS[name], data, two)) < 10 * EXACT
    assert (one.folder / "privacy.json").read_text() == (two.folder / "privacy.json").read_text()
    assert json.loads((two.folder / "environment.json").read_text())["processes"] == 2
    assert [said["step"] for said in series(one)] == [said["step"] for said in series(two)], "a helper spoke"
    assert ranks.count() == 1 and children() == []


def series(run: StepRun) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.report.folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_search_by_two_processes_finds_what_one_finds(data: PreparedData, new_run: NewRun) -> None:
    over = {"training.optimizer.learning_rate": [0.001, 0.05]}
    search = {"kind": "random-stopping", "over": over, "mean_trials": 4.0, "metric": "loss"}
    settings = config(STILL, "book-keeping", privacy={"accountant": "rdp"}, search=search)
    seed = next(seed for seed in range(100) if settings.search is not None and settings.search.count(seed) == 3)
    one, two = (done(settings, data, run, seed) for run in (new_run(), by(2, new_run())))
    assert farthest(one, two) < 10 * EXACT


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if helping.__name__ in child.cmdline()]


def meanwhile(monkeypatch: pytest.MonkeyPatch, step: int, act: Any) -> None:
    """Something that happens when the first process comes to a step."""

    def found(gradient: PrivateGradient, network: nn.Module, indices: Tensor, at: int) -> Tensor | None:
        if at == step:
            act()
        return KEPT(gradient, network, indices, at)

    monkeypatch.setattr(PrivateGradient, "__call__", found)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_a_killed_helper_ends_the_training_in_one_line_and_leaves_nothing(
    processes: int, data: PreparedData, new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed: list[float] = []

    def kill() -> None:
        killed.append(time.monotonic())
        children()[-1].kill()

    meanwhile(monkeypatch, 3, kill)
    with pytest.raises(RankLost, match=rf"^process \d of {processes} of this training ended: SIGKILL \(out of memory\?\); run the study again"):
        done(TRAININGS["private"], data, by(processes, new_run()))
    assert time.monotonic() - killed[0] < SECONDS
    assert children() == [] and list(tmp_path.iterdir()) == [] and ranks.count() == 1


@pytest.mark.slow
def test_a_helper_that_does_not_answer_is_not_waited_for_for_ever(data: PreparedData, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "PATIENCE", timedelta(seconds=4))
    monkeypatch.setattr(together, "GRACE", 0.5)
    meanwhile(monkeypatch, 3, lambda: children()[0].suspend())
    with pytest.raises(RankLost, match="another process of this training does not answer"):
        done(TRAININGS["private"], data, by(2, new_run()))
    assert children() == [] and ranks.count() == 1


@pytest.mark.slow
def test_a_helper_that_cannot_begin_is_told_of_at_once(data: PreparedData, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(RankLost, match="process 2 of 2 of this training ended: exit status 1; run"):
        done(TRAININGS["private"], data, by(2, new_run()))


@pytest.mark.slow
def test_a_group_that_is_broken_off_is_believed_no_more(data: PreparedData, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where NCCL's wait is ended from outside, and what it gave is anything."""
    monkeypatch.setattr(together, "GRACE", 0.5)
    meanwhile(monkeypatch, 3, ranks.break_off)
    with pytest.raises(RankLost, match=r"^another process of this training has ended$"):
        done(TRAININGS["private"], data, by(2, new_run()))
    assert children() == [] and ranks.count() == 1


def test_the_key_is_told_to_helpers_and_to_nobody_else(data: PreparedData, new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run, seen = by(2, new_run()), []

    def look() -> None:
        [helper] = children()
        key = int((run.checkpoint / KEY_FILE).read_text(), 16)
        told = tmp_path / "told"
        told.write_text(json.dumps([helper.cmdline(), helper.environ()]))
        seen.append((occurrences(key, tmp_path), occurrences(key, run.folder.parent), len(list(tmp_path.iterdir()))))
        told.unlink()

    meanwhile(monkeypatch, 3, look)
    done(config(STILL, "book-keeping", "secret"), data, run)
    assert seen == [(set(), {f"checkpoint/{KEY_FILE}"}, 2)]


FIRST = """
import json, sys, time
from pathlib import Path
from tasks.core.step import Report, StepRun
from tasks.training import trainer
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TrainConfig, train

def slow(*given, kept=PrivateGradient.__call__):
    time.sleep(0.3)
    return kept(*given)

PrivateGradient.__call__, trainer.CHECKPOINT_SECONDS = slow, 0
told = json.loads(sys.argv[1])
folder = Path(told["folder"])
run = StepRun(folder / "artifact", folder / "checkpoint", "cpu", None, Report(folder / "report"), 2)
train(TrainConfig.model_validate(told["config"]), {"data": Path(told["data"])}, told["seed"], run)
"""
"""The first process of a training, with time enough to be killed."""


@pytest.mark.slow
@pytest.mark.parametrize("randomness", ["reproducible", "secret"])
def test_helpers_end_with_a_killed_first_process_and_the_training_goes_on(randomness: str, data: PreparedData, new_run: NewRun, tmp_path: Path) -> None:
    """With dropout: two attempts by two processes give the weights of one attempt by two, to the bit."""
    settings, run, whole = config(BILSTM, "book-keeping", randomness), by(2, new_run()), by(2, new_run())
    told = json.dumps({"config": settings.model_dump(mode="json"), "data": str(data.folder), "folder": str(run.folder.parent), "seed": SEED})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    first = subprocess.Popen([sys.executable, "-c", FIRST, told], env=environment)
    wait(lambda: any((run.checkpoint / "training").glob("step-*[3-9]")))
    [helper] = children()
    first.kill()
    first.wait()
    helper.wait(SECONDS)
    wait(lambda: not list(tmp_path.iterdir()))
    kept = checkpoint.newest(run.checkpoint / "training")
    assert kept is not None and 3 <= kept.state["step"] < 10
    if randomness == "secret":
        (whole.checkpoint / KEY_FILE).write_bytes((run.checkpoint / KEY_FILE).read_bytes())
    assert equal(done(settings, data, same_work(run)), done(settings, data, whole))


def wait(until: Any) -> None:
    end = time.monotonic() + 120
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_a_helper_that_begins_elsewhere_would_be_seen(data: PreparedData, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first process that overlooks the checkpoint which its helper reads."""
    run = by(2, new_run())
    loaded = checkpoint.load
    folder = run.checkpoint / "training"
    trained = begun(TRAININGS["private"], data, run)[1].started.network
    nn.init.zeros_(next(trained.parameters()))
    checkpoint.save(folder, checkpoint.Progress(step=4), trained, torch.optim.AdamW(trained.parameters()), {})
    monkeypatch.setattr(checkpoint, "load", lambda *given: loaded(Path("absent"), *given[1:]))
    with pytest.raises(RankLost, match=r"process 2 of 2 of this training ended: .*TrainingGuard: this process trains other weights than the first one"):
        done(TRAININGS["private"], data, run)
