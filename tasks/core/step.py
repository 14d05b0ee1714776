"""Steps: one GPU task each. A step is a pure function from config, inputs and seed to the files of one artifact."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class StepConfig(BaseModel):
    """Base of a step's config: everything that decides its result besides inputs, seed and code."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


@dataclass
class Report:
    """How a step speaks while it works: progress with time left, and series of metrics.

    ``device`` is where heavy work may run. Both go to files in the step's scratch folder, which the coordinator reads; a step talks to no tracker.
    """

    folder: Path
    device: str = "cpu"
    _last: float = field(default=0.0, repr=False)

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Say how far the work is; at most five times a second reaches the disk."""
        now = time.time()
        if now - self._last < 0.2 and done < total:
            return
        self._last = now
        path = self.folder / "progress.json"
        aside = path.with_suffix(".aside")
        aside.write_text(json.dumps({"done": done, "total": total, "note": note, "time": now}))
        aside.replace(path)

    def metric(self, name: str, value: float, step: int) -> None:
        """Add one point of a series (``train/loss``)."""
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"name": name, "value": value, "step": step, "time": time.time()}) + "\n")

    def rewind(self, step: int) -> None:
        """Drop points after ``step``: a resumed training says them again."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return
        kept = [line for line in path.read_text().splitlines() if line.endswith("}") and json.loads(line)["step"] <= step]
        aside = path.with_suffix(".aside")
        aside.write_text("".join(f"{line}\n" for line in kept))
        aside.replace(path)


@dataclass(frozen=True)
class StepRun:
    """Where and on what a step runs. None of it is part of a key.

    On another device, with another physical batch size or number of processes, numbers differ in rounding, and where there is dropout
    its masks are others, equally likely; the artifact records all three.

    Args:
        folder: an empty folder; what is in it at the end is the artifact.
        checkpoint: a folder that outlives a kill, for unfinished work.
        device: ``cpu``, ``cuda:0``, ``mps``.
        physical_batch_size: the most examples to hold on the device at once; None leaves it to the step.
        report: progress and metric series.
        processes: how many train together, where the step trains.
    """

    folder: Path
    checkpoint: Path
    device: str
    physical_batch_size: int | None
    report: Report
    processes: int = 1


Work = Callable[[Any, Mapping[str, Path], int, StepRun], None]
Charge = Callable[[Any, Mapping[str, Path], int, Path, str], Any]
"""(config, inputs, seed, checkpoint, key of the artifact) to what the ledger is told before the step begins; None where it owes nothing."""


@dataclass(frozen=True)
class Step:
    """A named step. ``work(config, inputs, seed, run)`` writes the artifact's files into ``run.folder``.

    Args:
        name: short name shown to people, e.g. ``train``.
        work: a module-level function.
        config: the class of its config.
        charge: what a step that trains on people's records owes the ledger; a module-level function.
    """

    name: str
    work: Work
    config: type[StepConfig]
    charge: Charge | None = None

    @property
    def module(self) -> str:
        """The module whose code, with all it imports, decides the result."""
        return self.work.__module__
