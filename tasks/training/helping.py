"""A process that helps at a training: it is told by its standard input, clips its part of every batch, and writes nothing."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import traceback
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from tasks.core.step import Report, StepRun
from tasks.training import ranks
from tasks.training.trainer import Trainer


class Order(BaseModel):
    """What a helper is told, in one line of JSON on its standard input, so that the key stands in no file and on no command line.

    Attributes:
        rank, count: which of how many processes it is; 0 is the step's own.
        folder: private to the training's processes, gone with them.
        config_class: full name of the config's class.
        config, inputs, seed: of the step.
        key: decides all draws.
        checkpoint: where the training's checkpoints are; only read.
        device, physical_batch_size: as of ``StepRun``.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    rank: int
    count: int
    folder: Path
    config_class: str
    config: dict[str, Any]
    inputs: dict[str, Path]
    seed: int
    key: int = Field(repr=False)
    checkpoint: Path
    device: str
    physical_batch_size: int | None

    @property
    def ready(self) -> str:
        """What stands in the store once the helper is about to join."""
        return f"ready-{self.rank}"


class Silent(Report):
    """Says nothing: the first process does."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Not said."""

    def metric(self, name: str, value: float, step: int) -> None:
        """Not said."""

    def rewind(self, step: int) -> None:
        """Nothing was said."""


def help_train(order: Order) -> None:
    """Train as the first process does. Raises RankLost, and what a training raises."""
    torch.set_num_threads(1)
    store = ranks.meeting(order.folder, order.count)
    store.set(order.ready, "")
    ranks.join(store, order.rank, order.count, order.device)
    module, _, name = order.config_class.rpartition(".")
    config = getattr(importlib.import_module(module), name).model_validate(order.config)
    run = StepRun(order.folder, order.checkpoint, order.device, order.physical_batch_size, Silent(order.folder))
    Trainer.of(config, order.inputs, order.seed).train(config, order.key, run, order.checkpoint)


def end_with_first(folder: Path) -> None:
    """Wait for the end of the standard input, which is that of the first process, however it ends; then end at once."""
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def main() -> None:
    """Help until the first process ends this one. A failed helper's last line says why."""
    order = Order.model_validate_json(sys.stdin.readline())
    watching = Thread(target=end_with_first, args=(order.folder,), daemon=True)
    watching.start()
    try:
        help_train(order)
    except ranks.RankLost:
        ranks.leave()  # so that the first process, if it is there, misses this one too, and looks for the one that ended
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # no ordinary exit: gloo's threads would abort the process and have the last word
    watching.join()


if __name__ == "__main__":
    main()
