"""Seconds per round of Flower's simulation with clients that train nothing, or a small language model: run in a process of its own.

    python -m tests.benchmarks._flower_rounds --clients 1000 --cohort 50 --parameters 1000 --rounds 4

Prints one JSON line. Needs flwr[simulation].
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

_kept: dict[str, Any] = {}


def trained(arrays: Any) -> Any:
    """The language model after one epoch on 16 messages: what a device of the other engine does. An actor builds the network once."""
    import torch
    from flwr.app import ArrayRecord

    from tasks.models.losses import example_losses
    from tests.benchmarks._local_work import BATCH, LEARNING_RATE, language_model, messages

    torch.set_num_threads(1)
    if not _kept:
        _kept["network"], (_kept["messages"], _) = language_model(), messages(1)
    network = _kept["network"]
    network.load_state_dict(arrays.to_torch_state_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    for indices in torch.split(torch.randperm(len(_kept["messages"])), BATCH):
        optimizer.zero_grad()
        example_losses(network, _kept["messages"].batch(indices)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return ArrayRecord(network.state_dict())


def initial_arrays(parameters: int, work: str) -> Any:
    """What the first round sends."""
    from flwr.app import ArrayRecord

    if work == "none":
        return ArrayRecord([np.zeros(parameters, dtype=np.float32)])
    from tests.benchmarks._local_work import language_model

    return ArrayRecord(language_model().state_dict())


def seconds_per_round(clients: int, cohort: int, parameters: int, rounds: int, work: str) -> list[float]:
    """Wall seconds of each round, the first among them."""
    from flwr.app import Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    ended: list[float] = []

    class Timed(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            found = super().aggregate_train(server_round, replies)
            ended.append(time.perf_counter())
            return found

    client_app = ClientApp()

    @client_app.train()
    def train(message: Message, context: Context) -> Message:
        arrays = message.content["arrays"]
        content = {"arrays": arrays if work == "none" else trained(arrays), "metrics": MetricRecord({"num-examples": 1.0})}
        return Message(content=RecordDict(content), reply_to=message)

    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        arrays = initial_arrays(parameters, work)
        strategy = Timed(fraction_train=cohort / clients, min_train_nodes=cohort, min_available_nodes=clients, fraction_evaluate=0.0)
        strategy.start(grid=grid, initial_arrays=arrays, num_rounds=rounds, timeout=3600)

    run_simulation(server_app=server_app, client_app=client_app, num_supernodes=clients, backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
    return [later - earlier for earlier, later in itertools.pairwise(ended)]


if __name__ == "__main__":
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    parser = argparse.ArgumentParser()
    for name in ("clients", "cohort", "parameters", "rounds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--work", choices=("none", "language-model"), default="none")
    given = parser.parse_args()
    print(json.dumps({"seconds": seconds_per_round(given.clients, given.cohort, given.parameters, given.rounds, given.work)}))
