"""Sixteen shadow models of a target, trained at once and one after another: the same steps on the same pools, interleaved."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tasks.core.step import Report, StepRun
from tasks.data.dataset import DATASETS, Dataset
from tasks.data.preparing import write_prepared
from tasks.training.layout import ENDLESS, single_loop
from tasks.training.loop import Loop
from tasks.training.stack import StackedTraining
from tasks.training.steps import TrainConfig
from tasks.training.trainer import Trained, Trainer

SHADOWS = 16
POOLS: dict[str, Any] = {"kind": "synthetic-assistant", "examples": 2_600, "task": "intent", "public_size": 1_000, "attack_holdout": 1_000}


@dataclass(frozen=True)
class Target:
    """What is attacked, and how many times faster a stack should be on a GPU."""

    name: str
    block: dict[str, Any]
    on_gpu: float | None = None
    data: dict[str, Any] = field(default_factory=lambda: POOLS)
    shadows: int = SHADOWS


TARGETS = (
    Target("linear", {"kind": "linear"}, 4.0),
    Target("bilstm", {"kind": "bilstm"}),
    Target("bert 2x128", {"kind": "bert", "layers": 2, "hidden_size": 128}, 4.0),
)


def shadow_rows(device: str, steps: int, targets: tuple[Target, ...] = TARGETS) -> Iterator[dict[str, Any]]:
    """Milliseconds of a step of all shadow models in each layout, and how many times faster the stack is."""
    for target in targets:
        with TemporaryDirectory() as folder:
            alone, together = seconds(target, device, steps, Path(folder))
        name, wanted = f"{target.shadows} shadows of {target.name}, {device}", target.on_gpu if device.startswith("cuda") else None
        ratio = statistics.median(one / other for one, other in zip(alone, together, strict=True))
        yield row(f"{name}: one after another", 1000 * statistics.median(alone), "ms/step")
        yield row(f"{name}: stacked", 1000 * statistics.median(together), "ms/step")
        yield row(f"{name}: times faster stacked", ratio, "x", wanted)


def row(name: str, value: float, unit: str, target: float | None = None) -> dict[str, Any]:
    """A row of the table; without a target it is neither met nor missed."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": None if target is None else value >= target}


def seconds(target: Target, device: str, steps: int, folder: Path) -> tuple[list[float], list[float]]:
    """Of each step: all models one after another, and at once. Both train to the end of the step, with their own optimizers, after one to warm up."""
    values = {"model": target.block, "training": {"epochs": ENDLESS}, "privacy": {"kind": "none"}, "randomness": "reproducible"}
    config = TrainConfig.model_validate(values)
    run = StepRun(folder, folder / "checkpoint", device, None, Report(folder, device))
    pools = _pools(target, folder)

    def begun() -> list[Trained]:
        return [Trainer.of(config, {"data": pool}, seed).begin(config, run) for seed, pool in enumerate(pools)]

    singles = [single_loop(one, config.training, seed, run) for seed, one in enumerate(begun())]
    stack = StackedTraining(begun(), range(target.shadows), config.training, run, run.checkpoint).loop
    alone, together = [], []
    for _ in range(1 + steps):
        alone.append(_timed(singles, device))
        together.append(_timed([stack], device))
    return alone[1:], together[1:]


def _pools(target: Target, folder: Path) -> list[Path]:
    data = DATASETS.parse(target.data)
    assert isinstance(data, Dataset)
    raw, pools = data.load(folder), [folder / f"pool-{seed}" for seed in range(target.shadows)]
    for seed, pool in enumerate(pools):
        pool.mkdir()
        write_prepared(data, raw, seed, pool)
    return pools


def _timed(loops: Sequence[Loop], device: str) -> float:
    """One step of each."""
    begun = time.perf_counter()
    for loop in loops:
        loop.advance()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begun
