"""Random sweeps expand as a slow, obvious twin expands them: on flat settings, each trial loaded as a spec without a sweep."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from specs.loading import load_mapping
from specs.schemas.study import Study

Settings = dict[str, Any]

BASE: Settings = {
    "data.kind": "synthetic-assistant",
    "data.examples": 100,
    "data.task": "intent",
    "model.kind": "bilstm",
    "model.hidden_size": 8,
    "training.epochs": 2,
    "model.tokenizer.kind": "hashing",
    "model.tokenizer.buckets": 128,
    "training.optimizer.kind": "sgd",
    "training.optimizer.momentum": 0.9,
    "training.schedule.warmup": 0.1,
}

CHOICES: dict[str, list[Any]] = {
    "data.limit": [None, 10, 20],
    "data": [{"examples": 120}, {"kind": "synthetic-assistant", "task": "intent"}],
    "model": [{"kind": "linear"}, {"kind": "bilstm", "layers": 2}, {"tokenizer": {"max_tokens": 6}}],
    "model.tokenizer.buckets": [32, 64],
    "model.tokenizer": [{"kind": "hashing", "max_tokens": 4}, None, {"max_tokens": 5}],
    "training": [None, {"epochs": 4}, {"optimizer": {"kind": "adamw"}}, {"optimizer": {"momentum": 0.2}, "schedule": None}],
    "training.epochs": [None, 1, 3],
    "training.optimizer": [{"kind": "sgd"}, {"kind": "adamw", "learning_rate": 0.1}, {"learning_rate": 0.3}],
    "training.optimizer.learning_rate": [0.01, 0.02],
    "training.schedule": [None, {"kind": "cosine"}],
    "training.schedule.warmup": [None, 0.2],
}


def flat(path: str, value: Any) -> Settings:
    if not isinstance(value, dict):
        return {path: value}
    return {below: leaf for key, item in value.items() for below, leaf in flat(f"{path}.{key}", item).items()}


def without(settings: Settings, path: str) -> Settings:
    return {key: value for key, value in settings.items() if key != path and not key.startswith(f"{path}.")}


def with_defaults(settings: Settings, path: str) -> Settings:
    """The settings, with every missing block above a path written out as an spec without a sweep has it."""
    above = path.split(".")[:-1]
    for depth in range(1, len(above) + 1):
        prefix = ".".join(above[:depth])
        if not any(key.startswith(f"{prefix}.") for key in settings):
            resolved: Any = load_mapping(nested(settings)).study.model_dump(mode="json")
            for key in above[:depth]:
                resolved = resolved[key]
            settings = {**settings, **flat(prefix, resolved)}
    return settings


def with_change(settings: Settings, path: str, value: Any) -> Settings:
    settings = with_defaults(settings, path)
    if value is None:
        return without(settings, path)
    if isinstance(value, dict) and "kind" not in value:
        for key, item in value.items():
            settings = with_change(settings, f"{path}.{key}", item)
        return settings
    return {**without(settings, path), **flat(path, value)}


def nested(settings: Settings) -> dict[str, Any]:
    tree: dict[str, Any] = {"kind": "dp-training", "name": "twin"}
    for path, value in settings.items():
        *above, last = path.split(".")
        block = tree
        for key in above:
            block = block.setdefault(key, {})
        block[last] = value
    return tree


def twin(arms: dict[str, Settings], grid: dict[str, list[Any]], seeds: list[int]) -> list[tuple[str, int, Study]]:
    trials = []
    for name, changes in arms.items():
        for values in itertools.product(*(grid[path] for path in sorted(grid))):
            settings, point = BASE, dict(zip(sorted(grid), values, strict=True))
            for group in (changes, point):
                for depth in range(5):
                    for path in [path for path in group if path.count(".") == depth]:
                        settings = with_change(settings, path, group[path])
            for seed in seeds:
                trials.append((name, seed, load_mapping(nested(settings) | {"sweep": {"seeds": [seed]}}).study))
    return trials


def related(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")


def drawn(seed: int) -> tuple[dict[str, Settings], dict[str, list[Any]], list[int]]:
    """A random sweep whose grid touches nothing that an arm, or another of its paths, changes."""
    choose = random.Random(seed)
    grid: dict[str, list[Any]] = {}
    for path in choose.sample(list(CHOICES), choose.randint(0, 3)):
        if not any(related(path, other) for other in grid):
            grid[path] = choose.sample(CHOICES[path], choose.randint(1, 2))
    free = [path for path in CHOICES if not any(related(path, other) for other in grid)]
    arms = {
        f"arm-{index}": {path: choose.choice(CHOICES[path]) for path in choose.sample(free, choose.randint(0, min(4, len(free))))}
        for index in range(choose.randint(1, 3))
    }
    return arms, grid, choose.sample(range(100), choose.randint(1, 3))


@pytest.mark.parametrize("seed", range(200))
def test_a_sweep_expands_as_its_twin(seed: int) -> None:
    arms, grid, seeds = drawn(seed)
    found = load_mapping({**nested(BASE), "sweep": {"arms": arms, "grid": grid, "seeds": seeds}}).trials
    assert [(trial.base_arm, trial.seed, trial.study) for trial in found] == twin(arms, grid, seeds)
    assert len({(trial.arm, trial.seed) for trial in found}) == len(found)
