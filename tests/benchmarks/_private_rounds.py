"""A private round against a plain one: the same devices, the same local training, with and without clips and noise."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.core.step import Report
from tasks.federated.aggregation import Aggregation, PrivateAggregation
from tasks.federated.charging import account_of
from tasks.federated.federation import Federation
from tasks.federated.holdings import Holdings
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.rounds import Rounds
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.federated.timeline import Stream
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tests.benchmarks._local_work import language_model, messages

CLIENTS, COHORT, STACK = 1_000, 50, 16
TARGET = 1.1
NOISES: dict[str, dict[str, Any]] = {"constant": {"kind": "constant"}, "banded": {"kind": "banded", "bands": 8}}


def private_rows(rounds: int = 8) -> Iterator[dict[str, Any]]:
    """Seconds of a private round over those of a plain one, by layout, and with noise that is correlated; rounds of both take turns."""
    torch.set_num_threads(1)
    for layout in ("sequential", "stacked"):
        for name, noise in NOISES.items():
            plain, private = _made(layout, noise, private=False), _made(layout, noise, private=True)
            seconds: dict[str, list[float]] = {"plain": [], "private": []}
            for number in range(rounds + 1):
                for kind, one in (("plain", plain), ("private", private)):
                    began = time.perf_counter()
                    one.round(number)
                    seconds[kind].append(time.perf_counter() - began)
            ratio = statistics.median(later / earlier for earlier, later in zip(seconds["plain"][1:], seconds["private"][1:], strict=True))
            yield {"name": f"private round over a plain one, {layout}, {name} noise", "value": ratio, "unit": "x", "target": TARGET, "met": ratio <= TARGET}


def _made(layout: str, noise: dict[str, Any], private: bool) -> Rounds:
    values = {
        "rounds": 1000,
        "cohort_size": COHORT,
        "selection": {"kind": "activity-proportional", "alpha": 0.0, "design": "poisson", "public_activity": CLIENTS},  # the same cohorts for both
        "correction": {"kind": "equal"},
        "separation": noise.get("bands", 1),
        "client": {"batch_size": 8},
    }
    block = Federation.model_validate(values)
    network = language_model()
    encoded, client = messages(CLIENTS)
    work = Work(network, encoded, block.client, "cpu", trained_names(network, ()))
    if layout == "stacked":
        network.whole_mask = True  # type: ignore[assignment]
    trained: Layout = Sequential(work) if layout == "sequential" else Stacked(work, STACK)
    holdings = Holdings(Stream(client, np.zeros(len(client), dtype=np.int64), np.arange(len(client)), CLIENTS), encoded.records.numpy(), block.timeline, 0)
    folder = Path(tempfile.mkdtemp())
    activity = np.bincount(client, minlength=CLIENTS)
    return Rounds(
        block,
        work,
        trained,
        holdings,
        activity,
        lambda done: [],
        1000,
        0,
        folder,
        Report(folder),
        "train/none",
        _aggregation(block, work, noise) if private else Aggregation(),
    )


def _aggregation(block: Federation, work: Work, noise: dict[str, Any]) -> PrivateAggregation:
    privacy = DpFedAvg.model_validate({"kind": "dp-fedavg", "noise_multiplier": 1.0, "delta": 1e-5, "noise": noise})
    account = account_of(block, privacy, CLIENTS, "reproducible", "user")
    assert account is not None
    return PrivateAggregation(privacy, account, work.parameters, 0)
