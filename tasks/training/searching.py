"""A search by random stopping inside one step: only the best training leaves it, the others are never recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file
from torch import nn

from tasks.core.seeds import derive
from tasks.core.step import Report, StepRun
from tasks.training.checkpoint import Progress, restore, weights
from tasks.training.together import train
from tasks.training.trainer import Trained, Trainer

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig

STATE, BEST = "search.json", "best.safetensors"


@dataclass
class Found:
    """The search so far: a score per finished training, which is the best, and how that one went."""

    scores: list[float]
    best: int = -1
    progress: dict[str, Any] | None = None


def best_of(trainer: Trainer, config: TrainConfig, key: int, run: StepRun) -> Trained:
    """Train as often as the law says, with settings and randomness drawn anew, and return the best on the validation split.

    A killed search goes on where it was. The losers' weights, series and number are told to nobody: that is what the price is paid for.
    """
    assert config.search is not None
    folder = run.checkpoint / "search"
    folder.mkdir(exist_ok=True)
    found = _load(folder / STATE)
    for index in range(len(found.scores), config.search.count(key)):
        run.report.progress(0.0, 1.0, "searching")
        own, own_run = _one(config, key, index, run, folder)
        trained = train(trainer, own, derive(key, "search", index), own_run, own_run.checkpoint)
        found.scores.append(_score(trainer, trained, run, config.search.metric))
        if found.best < 0 or found.scores[index] > found.scores[found.best]:
            found.best, found.progress = index, asdict(trained.progress)
            _write(folder / BEST, _saver(trained.started.network))
        _write(folder / STATE, lambda path: path.write_text(json.dumps(asdict(found))))
    best = trainer.begin(*_one(config, key, found.best, run, folder))
    restore(best.started.network, load_file(str(folder / BEST), device=run.device))
    assert found.progress is not None
    return replace(best, progress=Progress(**found.progress))


def _one(config: TrainConfig, key: int, index: int, run: StepRun, folder: Path) -> tuple[TrainConfig, StepRun]:
    """The index-th training: its settings, a checkpoint of its own, a report that nobody reads."""
    assert config.search is not None
    own = folder / str(index)
    own.mkdir(exist_ok=True)
    values = config.search.applied(config.model_dump(mode="json"), config.search.draw(key, index))
    return type(config).model_validate(values), replace(run, report=Report(own), checkpoint=own / "checkpoint")


def _score(trainer: Trainer, trained: Trained, run: StepRun, metric: str) -> float:
    """Higher is better."""
    found = trainer.validate(trained, run, "search")()
    return found["accuracy"] if metric == "accuracy" and "accuracy" in found else -found["loss"]


def _saver(network: nn.Module) -> Callable[[Path], object]:
    return lambda path: save_file({name: value.detach().cpu().contiguous() for name, value in weights(network).items()}, str(path))


def _load(path: Path) -> Found:
    return Found(**json.loads(path.read_text())) if path.exists() else Found([])


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Aside, then renamed."""
    aside = path.with_suffix(".aside")
    write(aside)
    aside.replace(path)
