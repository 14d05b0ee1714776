"""Rounds of one study by each engine, every engine in a process of its own: seconds of a round, and the memory of all processes.

    python -m tests.benchmarks._engine_rounds --engine sequential --rounds 4

trains, and prints one JSON line. Seconds are those of whole rounds after the first: draw, local training of 50 devices, messages where there are nodes,
sum, step, log.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from tasks.core.step import Report
from tasks.data.prepared import PreparedData
from tasks.federated.federation import Federation
from tasks.federated.holdings import Holdings
from tasks.federated.labels import LABELS
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.partitioning import stream_of
from tasks.federated.population import Population
from tasks.federated.rounds import Rounds
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.models.batches import encode_split
from tasks.models.model import MODELS, Architecture, TaskShape
from tests.benchmarks._local_work import BATCH, LANGUAGE_MODEL, MESSAGES, TOKENS

CHECKOUT = Path(__file__).resolve().parents[2]
CLIENTS, COHORT, STACK = 1_000, 50, 16
ENGINES = ("sequential", "stacked", "flower-1", "flower-2")
"""The last two: Flower's simulation with so many processes, a core each."""
MIB = 2**20


def folders(folder: Path) -> dict[str, Path]:
    """Prepared data of random messages, 16 for each of 1,000 devices, and its population."""
    letters = np.random.default_rng(0).integers(97, 123, size=(CLIENTS * MESSAGES, TOKENS - 2), dtype=np.uint8)
    names = np.array([f"m{place}" for place in range(len(letters))], dtype=object)
    found = {"data": folder / "data", "population": folder / "population"}
    for path in found.values():
        path.mkdir()
    pd.DataFrame({"id": names, "text": [line.tobytes().decode() for line in letters]}).to_parquet(found["data"] / "train.parquet", index=False)
    (found["data"] / "data.json").write_text(json.dumps({"task": "lm", "labels": [], "slots": []}))
    owner, none = np.repeat(np.arange(CLIENTS), MESSAGES), np.zeros(0, dtype=np.int64)
    Population(tuple(f"{name:04d}" for name in range(CLIENTS)), owner, none, np.zeros_like(owner), none, names).save(found["population"])
    return found


def opened(engine: str, inputs: dict[str, Path], work: Work, model: Architecture, block: Federation) -> AbstractContextManager[Layout]:
    """The layout of an engine, while it is open."""
    if engine == "sequential":
        return nullcontext(Sequential(work))
    if engine == "stacked":
        model.open_up(work.network)
        return nullcontext(Stacked(work, STACK))
    return _on_nodes(int(engine.removeprefix("flower-")), inputs, work, model, block)


def _on_nodes(actors: int, inputs: dict[str, Path], work: Work, model: Architecture, block: Federation) -> AbstractContextManager[Layout]:
    from contextlib import contextmanager

    from tasks.federated.flower.layout import FlowerLayout
    from tasks.federated.flower.node import Told
    from tasks.federated.flower.simulation import simulated

    @contextmanager
    def found() -> Iterator[Layout]:
        labels = LABELS.parse({"kind": "given"})
        told = Told.model_validate({"model": model, "client": block.client, "timeline": block.timeline, "labels": labels, "seed": 0}).model_dump_json()
        with simulated(inputs, CLIENTS, actors, "cpu", 600.0) as fleet:
            yield FlowerLayout(work, fleet, told, "fail")

    return found()


def measured(engine: str, rounds: int, folder: Path) -> dict[str, Any]:
    """Seconds until the first round, of each later one, and the most memory that all processes had together (MiB, proportional set size)."""
    torch.set_num_threads(1)
    inputs = folders(folder)
    prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
    model = MODELS.parse(LANGUAGE_MODEL)
    assert isinstance(model, Architecture)
    shape = TaskShape("lm")
    started, records = model.start(shape, {}, 0), prepared.split("train")
    encoded = encode_split(records, started.encoder, shape)
    block = Federation.model_validate({"rounds": 1000, "cohort_size": COHORT, "client": {"batch_size": BATCH}})
    work = Work(started.network, encoded, block.client, "cpu", trained_names(started.network, ()))
    holdings = Holdings(stream_of(population, records), encoded.records.numpy(), block.timeline, 0)
    memory = Memory()
    began = time.perf_counter()
    with opened(engine, inputs, work, model, block) as layout:
        training = Rounds(block, work, layout, holdings, population.activity, lambda done: [], 1000, 0, folder, Report(folder), "train/none")
        seconds = []
        for number in range(rounds + 1):
            start = time.perf_counter()
            training.round(number)
            seconds.append(time.perf_counter() - start)
            if number == 0:
                until_first = time.perf_counter() - began
        most = memory.end()
    weights = torch.cat([parameter.detach().flatten() for parameter in work.network.parameters()])
    return {"start": until_first, "seconds": seconds[1:], "memory": most, "model": float(weights.double().square().sum())}


class Memory:
    """Looks twice a second at what this process and all below it hold."""

    def __init__(self) -> None:
        self._most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """The most that there was, in MiB."""
        self._over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            own = psutil.Process()
            self._most = max(self._most, sum(map(_held, [own, *own.children(recursive=True)])) / MIB)


def _held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def engine_rows(rounds: int = 4) -> Iterator[dict[str, Any]]:
    """Each engine's numbers, and Flower's over ours. Ratios are of one core against one core where the name does not say two."""
    found = {engine: _in_a_process(engine, rounds) for engine in ENGINES}
    reference = found["sequential"]["model"]
    for engine, numbers in found.items():
        if abs(numbers["model"] / reference - 1) > 1e-5:
            raise SystemExit(f"{engine} has trained another model")
        name = f"{COHORT} of {CLIENTS:,} devices, real training, {engine}"
        yield _row(f"{name}: round", statistics.median(numbers["seconds"]), "s")
        yield _row(f"{name}: memory of all processes", numbers["memory"], "MiB")
        yield _row(f"{name}: until the end of the first round", numbers["start"], "s")
    ours = min(("sequential", "stacked"), key=lambda engine: statistics.median(found[engine]["seconds"]))
    for engine, cores in (("flower-1", "one core"), ("flower-2", "its two cores against one")):
        times = statistics.median(found[engine]["seconds"]) / statistics.median(found[ours]["seconds"])
        yield _row(f"{engine} over {ours}: seconds of a round, {cores}", times, "x", 1.0 if engine == "flower-1" else None)
        yield _row(f"{engine} over {ours}: memory", found[engine]["memory"] / found[ours]["memory"], "x", 1.0)
    yield _row("load of the machine in the last minute", os.getloadavg()[0], "")


def _row(name: str, value: float, unit: str, least: float | None = None) -> dict[str, Any]:
    """One line of the table; a target is a lower limit."""
    return {"name": name, "value": float(f"{value:.4g}"), "unit": unit, "target": least, "met": None if least is None else value >= least}


def _in_a_process(engine: str, rounds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks._engine_rounds", "--engine", engine, "--rounds", str(rounds)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise SystemExit(f"{engine} failed (Flower's simulation needs flwr[simulation]):\n{done.stderr[-2000:]}")
    numbers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measured(given.engine, given.rounds, Path(place))))
