"""Steps asked of one process or of two: the second one is this module, run by the tests of ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.core.step import Report, StepRun
from tasks.data.prepared import PreparedData
from tasks.training import ranks
from tasks.training.mechanics import mechanics
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TrainConfig
from tasks.training.trainer import Trainer
from tests.training.private import begun, config
from tests.training.trainings import ADAMW, BERT, BILSTM, LINEAR

STILL = {**BILSTM, "dropout": 0.0}
STEP = 1
PRIVATE: dict[str, dict[str, Any]] = {
    "book-keeping": {},
    "loop": {},
    "adaptive": {"clipping": {"rule": {"kind": "adaptive-quantile", "initial": 5.0}}},
    "micro-batch": {"clipping": {"engine": {"kind": "micro-batch", "micro_batches": 5}}},
    "users": {"unit": {"kind": "user", "max_examples": 3}, "clipping": {"rule": {"kind": "flat", "l2_clip_norm": 0.5}}},
    "banded": {"sampler": {"kind": "cyclic", "separation": 5}, "noise": {"kind": "banded", "bands": 4}},
}
PLAIN: dict[str, dict[str, Any]] = {
    "bilstm": {"model": STILL},
    "bert": {"model": {**BERT, "dropout": 0.0}},
    "paired": {"model": LINEAR, "training": {"pairing": {"weight": 1.0}}},
}
BATCHES = {"even": (12, None), "odd": (7, None), "one": (1, None), "pieces": (23, 4)}
"""Number of examples, and the most on the device at once."""


@dataclass(frozen=True)
class Case:
    """A step. ``noisy``: the planted fault that every process begins its sums with noise."""

    way: str
    count: int
    physical: int | None = None
    noisy: bool = False


CASES = [
    *(Case(way, *BATCHES[name]) for way in (*PRIVATE, *PLAIN) for name in (BATCHES if way in ("book-keeping", "users", "bilstm") else ("odd", "pieces"))),
    *(Case(way, 0) for way in ("book-keeping", "adaptive", "users")),
    *(Case("book-keeping", count, noisy=True) for count in (0, 12)),
]


@dataclass
class Asked:
    """What a step gave: its update by weight, its loss, and the clip norm after it where that adapts."""

    update: dict[str, Tensor]
    loss: float | None
    kept: dict[str, float] = field(default_factory=dict)


def ask(case: Case, data: PreparedData, folder: Path) -> Asked:
    """One step by all processes of this training."""
    run = StepRun(folder, folder, "cpu", case.physical, Report(folder))
    if case.way in PLAIN:
        return _plain(case, data, run)
    settings = config(STILL, "loop" if case.way == "loop" else "book-keeping", privacy=PRIVATE[case.way])
    _, trained, _, gradient = begun(settings, data, run)
    if case.noisy and ranks.rank():
        begin, zeros = iter([noise_of(gradient)]), gradient.clipper.zeros
        gradient.clipper.zeros = lambda: next(begin, None) or zeros()  # type: ignore[method-assign]
    network = trained.started.network
    loss = gradient(network, torch.arange(case.count), STEP)
    update = {name: value.grad * gradient.divisor for name, value in network.named_parameters() if value.grad is not None}
    return Asked(update, None if loss is None else float(loss), gradient.kept)


def noise_of(gradient: PrivateGradient) -> dict[str, Tensor]:
    """What a step's sums begin with."""
    return {name: value.clone() for name, value in gradient.source(STEP, gradient.deviation(STEP)).items()}


def _plain(case: Case, data: PreparedData, run: StepRun) -> Asked:
    part = PLAIN[case.way]
    training = {"epochs": 1, "expected_batch_size": 12, "optimizer": ADAMW, "precision": "fp32", **part.get("training", {})}
    settings = TrainConfig.model_validate({"model": part["model"], "training": training, "privacy": {"kind": "none"}, "randomness": "reproducible"})
    trained = Trainer({}, data, None, 3).begin(settings, run)
    network = trained.started.network.train()
    gradient = mechanics(settings, None, trained.encoded, trained.started, {}, 5, run, trained.precision).gradient
    loss = gradient(network, torch.arange(case.count), STEP)
    assert loss is not None
    return Asked({name: value.grad for name, value in network.named_parameters() if value.grad is not None}, float(loss))


def ask_all(data: PreparedData) -> dict[Case, Asked]:
    """Every case, in one order."""
    with tempfile.TemporaryDirectory() as folder:
        return {case: ask(case, data, Path(folder)) for case in CASES}


def ask_all_by_two(data: PreparedData, folder: Path) -> dict[Case, Asked]:
    """Every case by this process and a second one."""
    told = json.dumps({"folder": str(folder), "data": str(data.folder)})
    second = subprocess.Popen([sys.executable, "-m", "tests.training.ranked", told], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        ranks.join(ranks.meeting(folder, 2), 0, 2, "cpu")
        return ask_all(data)
    finally:
        ranks.leave()
        assert second.wait(60) == 0


def main(told: dict[str, str]) -> None:
    """The second process."""
    torch.set_num_threads(1)
    ranks.join(ranks.meeting(Path(told["folder"]), 2), 1, 2, "cpu")
    ask_all(PreparedData(Path(told["data"])))
    ranks.leave()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
