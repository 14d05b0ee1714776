"""A round of federated training against a round of Flower's simulation, in one run, with devices that train nothing; then with real training.

    python tests/benchmarks/federated_round.py [--json] [--rounds 4] [--without-flower]

Flower (simulation engine, two actors of one core each) runs in a process of its own and needs flwr[simulation]; its rounds are timed where an
aggregation ends, after the first. Ours are whole rounds too: availability, draw, jobs, local training that changes nothing, the float64 sum,
the server's step, the log. Real training is 50 devices with the language model of specs/fl_selection/irc_static.yaml, 16 messages each, one
epoch, on one core, and on a CUDA device where there is one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch import Tensor, nn

from tasks.core.step import Report
from tasks.federated.federation import Federation
from tasks.federated.holdings import Holdings
from tasks.federated.jobs import Job
from tasks.federated.local import Work, trained_names
from tasks.federated.rounds import Rounds
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.federated.timeline import Stream
from tasks.models.batches import Encoded
from tests.benchmarks._local_work import LANGUAGE_MODEL, TOKENS, language_model, messages

CHECKOUT = Path(__file__).resolve().parents[2]
UNIFORM: dict[str, Any] = {"kind": "uniform"}
BY_ACTIVITY: dict[str, Any] = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}


@dataclass(frozen=True)
class Setting:
    """A population, a cohort, a model, and how many times faster than Flower a round should be."""

    name: str
    clients: int
    cohort: int
    parameters: int
    target: float | None
    flower: bool = True
    selection: str = "uniform"


SETTINGS = (
    Setting("1,000 clients, 50 per round, 1,000 parameters", 1_000, 50, 1_000, 20),
    Setting("10,000 clients, 500 per round, 1,000 parameters", 10_000, 500, 1_000, 20),
    Setting("100,000 clients, 50 per round, 1,000 parameters", 100_000, 50, 1_000, 100),
    Setting("1,000 clients, 50 per round, 11,000,000 parameters (44 MB)", 1_000, 50, 11_000_000, 10),
    Setting("1,000,000 clients, 100 per round, activity-proportional", 1_000_000, 100, 1_000, None, flower=False, selection="activity-proportional"),
)


class Idle(Sequential):
    """Devices that send back what they got."""

    def local(self, job: Job, sent: Sequence[Tensor]) -> tuple[float, float]:
        return 0.0, 0.0


def rounds_of(setting: Setting, folder: Path) -> Rounds:
    """A federated training of idle devices; every device holds one to three examples."""
    held = np.random.default_rng(0).integers(1, 4, size=setting.clients)
    client = np.repeat(np.arange(setting.clients), held)
    records = len(client)
    encoded = Encoded(torch.zeros(records, 2, dtype=torch.long), torch.full((records,), 2), 0, torch.arange(records))
    selection = BY_ACTIVITY if setting.selection == "activity-proportional" else UNIFORM
    federation = Federation.model_validate({"rounds": 1000, "cohort_size": setting.cohort, "selection": selection})
    return _rounds(federation, nn.Linear(setting.parameters, 1, bias=False), encoded, client, setting.clients, folder, Idle)


def _rounds(federation: Federation, network: nn.Module, encoded: Encoded, client: Any, devices: int, folder: Path, layout: Any, device: str = "cpu") -> Rounds:
    records = len(client)
    work = Work(network, encoded, federation.client, device, trained_names(network, ()))
    stream = Stream(client, np.zeros(records, dtype=np.int64), np.arange(records), devices)
    holdings = Holdings(stream, encoded.records.numpy(), federation.timeline, 0)
    activity = np.bincount(client, minlength=devices)
    return Rounds(federation, work, layout(work), holdings, activity, lambda done: [], 1000, 0, folder, Report(folder), "train/none")


def our_seconds(rounds: Rounds, count: int) -> list[float]:
    """Wall seconds of each round, after one that lays out who holds what."""
    rounds.round(0)
    found = []
    for number in range(1, count + 1):
        began = time.perf_counter()
        rounds.round(number)
        found.append(time.perf_counter() - began)
    return found


def flower_seconds(clients: int, cohort: int, parameters: int, rounds: int, work: str = "none") -> list[float]:
    """The same of Flower, in a process of its own."""
    sizes = {"clients": clients, "cohort": cohort, "parameters": parameters, "rounds": rounds}
    command = [sys.executable, "-m", "tests.benchmarks._flower_rounds", "--work", work, *(f"--{name}={size}" for name, size in sizes.items())]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise SystemExit(f"Flower's simulation failed (it needs flwr[simulation]):\n{done.stderr[-2000:]}")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return found


def row(name: str, value: float, unit: str, target: float | None = None, above: bool = True) -> dict[str, Any]:
    met = None if target is None else bool(value >= target if above else value <= target)
    return {"name": name, "value": round(value, 5), "unit": unit, "target": target, "met": met}


def idle_rows(rounds: int, flower: bool) -> Iterator[dict[str, Any]]:
    """Ours, Flower's and the ratio for every setting."""
    import psutil

    for setting in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            made = rounds_of(setting, Path(folder))
            ours = statistics.median(our_seconds(made, max(rounds, 10)))
        del made
        if setting.flower:
            yield row(f"{setting.name}: ours", ours, "s/round")
            if flower:
                theirs = statistics.median(flower_seconds(setting.clients, setting.cohort, setting.parameters, rounds))
                yield row(f"{setting.name}: Flower", theirs, "s/round")
                yield row(f"{setting.name}: times faster", theirs / ours, "x", setting.target)
        else:
            yield row(f"{setting.name}: ours", ours * 1000, "ms/round", 50, above=False)
            yield row(f"{setting.name}: memory of the process", psutil.Process().memory_info().rss / 2**30, "GiB", 2, above=False)


def training_rows(rounds: int, flower: bool, device: str) -> Iterator[dict[str, Any]]:
    """50 devices that train a language model: each layout of ours, and Flower."""
    torch.set_num_threads(1)
    network = language_model().to(device)
    encoded, client = messages(1_000)
    federation = Federation.model_validate({"rounds": 1000, "cohort_size": 50, "client": {"batch_size": 8}})
    layouts = {"one after another": Sequential, "in stacks of 16": lambda work: Stacked(work, 16)}
    found = {}
    for name, layout in layouts.items():
        if name.startswith("in"):
            network.whole_mask = True  # type: ignore[assignment]
        with tempfile.TemporaryDirectory() as folder:
            found[name] = statistics.median(our_seconds(_rounds(federation, network, encoded, client, 1_000, Path(folder), layout, device), rounds))
        yield row(f"real training, 50 clients, {name}, {device}", found[name], "s/round")
    if flower and device == "cpu":
        theirs = statistics.median(flower_seconds(1_000, 50, 0, rounds, work="language-model"))
        yield row("real training, 50 clients: Flower, two actors", theirs, "s/round")
        yield row("real training: times faster, ours on one core", theirs / min(found.values()), "x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--without-flower", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    training = (training_rows(given.rounds, not given.without_flower, device) for device in devices)
    for rows_of in (idle_rows(given.rounds, not given.without_flower), *training):
        for found in rows_of:
            rows.append(found)
            if not given.json:
                met = {None: "", True: "met", False: "NOT MET"}[found["met"]]
                print(f"{found['name']:80} {found['value']:>12.5g} {found['unit']:9} {'' if found['target'] is None else found['target']:>6} {met}", flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))
    if not given.json:
        print(f"language model: {LANGUAGE_MODEL}, {TOKENS} tokens a message")


if __name__ == "__main__":
    main()
