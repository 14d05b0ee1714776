"""Checkpoints of a federated training: killed after any round and resumed, it draws the same cohorts and ends with the same model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from tasks.federated.costs import Costs
from tasks.federated.log import Log
from tasks.federated.scoring import Score
from tasks.training.checkpoint import by_part, keep, newest, restore, weights

if TYPE_CHECKING:
    from tasks.federated.rounds import Rounds


def save(rounds: Rounds) -> None:
    """Keep where it is: weights, the server's state, the whole log, checks and costs."""
    tensors = {f"model/{name}": tensor for name, tensor in weights(rounds.work.network).items()}
    tensors |= {f"server/{name}": tensor for name, tensor in rounds.server.items()}
    tensors |= {f"log/{name}": torch.from_numpy(array) for name, array in rounds.log.arrays().items()}
    progress = rounds.progress
    state = {
        "round": progress.round,
        "seconds": progress.seconds,
        "peak_memory_mib": progress.peak_memory_mib,
        "scores": [asdict(score) for score in progress.scores],
        "costs": asdict(rounds.costs),
        "kept": rounds.aggregation.kept,
    }
    keep(rounds.folder, progress.round, tensors, state)


def load(rounds: Rounds) -> None:
    """Put the newest checkpoint back, where there is one."""
    found = newest(rounds.folder)
    if found is None:
        return
    parts = by_part(found.tensors)
    restore(rounds.work.network, parts["model"])
    rounds.server = {name: tensor.to(rounds.work.device) for name, tensor in parts.get("server", {}).items()}
    state = found.state
    rounds.log = Log.of(rounds.log.history.devices, state["round"], {name: tensor.numpy() for name, tensor in parts["log"].items()})
    rounds.costs, rounds.aggregation.kept = Costs(**state["costs"]), state["kept"]
    rounds.progress.round, rounds.progress.seconds, rounds.progress.peak_memory_mib = state["round"], state["seconds"], state["peak_memory_mib"]
    rounds.progress.scores = [Score(**score) for score in state["scores"]]
