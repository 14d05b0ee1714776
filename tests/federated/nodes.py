"""A study whose devices are nodes: its folders, a grid in this process, and whole trainings by any layout."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from flwr.app import Context, Message, RecordDict
from flwr.app.error import Error
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from tasks.core.step import Report
from tasks.data.prepared import PreparedData
from tasks.federated.federation import Federation
from tasks.federated.flower.client_app import client_app
from tasks.federated.flower.fleet import Fleet
from tasks.federated.flower.layout import FlowerLayout
from tasks.federated.flower.node import Told
from tasks.federated.holdings import Holdings
from tasks.federated.labelling import Labelling, blanked
from tasks.federated.labels import LABELS, Labels
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.partitioning import stream_of, write_population
from tasks.federated.population import Population
from tasks.federated.rounds import Rounds
from tasks.federated.sequential import Sequential
from tasks.models.batches import encode_split
from tasks.models.model import MODELS, Model, TaskShape
from tasks.training.augmentation import encode_augmented

DATA: dict[str, Any] = {"kind": "synthetic-assistant", "examples": 260, "users": 14, "intents": 4, "task": "intent", "public_size": 200, "attack_holdout": 20}
LINEAR: dict[str, Any] = {"kind": "linear", "bigram_buckets": 64, "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 16}}
SEED = 3


def federation(**changes: Any) -> Federation:
    values = {"rounds": 3, "cohort_size": 4, "client": {"batch_size": 4, "optimizer": {"kind": "sgd", "learning_rate": 0.5}}}
    return Federation.model_validate({**values, **changes})


def folders(prepared: PreparedData, folder: Path, block: Federation | None = None) -> dict[str, Path]:
    """The input folders of the training step: the prepared data, and its population by user."""
    partition = PARTITIONS.parse({"kind": "natural", "minimum_examples": 2})
    assert isinstance(partition, Partition)
    (folder / "population").mkdir(parents=True)
    write_population(partition, (block or federation()).timeline.cut(), prepared, 0, folder / "population")
    return {"data": prepared.folder, "population": folder / "population"}


class LocalGrid(Grid):
    """Nodes in this process, with ids as random as Flower's own; a message is answered as it is sent.

    Args:
        apps: the client app and the settings of each partition's node.
        lost: whether the node of a partition does not answer, asked for each message of training.
    """

    def __init__(self, apps: Mapping[int, tuple[ClientApp, Mapping[str, Any]]], lost: Callable[[int], bool] = lambda partition: False) -> None:
        ids = random.sample(range(1, 1 << 62), len(apps))
        self.contexts = {node: Context(7, node, {"partition-id": part, **apps[part][1]}, RecordDict(), {}) for node, part in zip(ids, apps, strict=True)}
        self._apps = {node: apps[part][0] for node, part in zip(ids, apps, strict=True)}
        self._lost, self._waiting = lost, dict[str, Message]()
        self.seen: list[Message] = []
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 7, 1, 1

    def set_run(self, run: Any) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Any:
        raise NotImplementedError

    def create_message(self, *arguments: Any, **named: Any) -> Message:
        raise NotImplementedError

    def get_nodes(self) -> Iterable[Any]:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return set(self.contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        found = []
        for message in messages:
            node, name = message.metadata.dst_node_id, str(uuid4())
            message.metadata.__dict__["_message_id"] = name
            found.append(name)
            self.seen.append(message)
            if message.metadata.message_type == "train" and self._lost(int(str(self.contexts[node].node_config["partition-id"]))):
                continue
            try:
                reply = self._apps[node](message, self.contexts[node])
            except Exception as error:  # as Flower answers for an app that failed
                reply = Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"{type(error)}:<'{error}'>"), reply_to=message)
            self._waiting[name] = reply
        return found

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        ready = [name for name in message_ids if name in self._waiting]
        return [self._waiting.pop(name) for name in random.sample(ready, len(ready))]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        raise NotImplementedError


APP = client_app(lambda context: context.node_config)


def grid(inputs: Mapping[str, Path], nodes: int, lost: Callable[[int], bool] = lambda partition: False) -> LocalGrid:
    """Nodes that all read the same folders."""
    return LocalGrid({partition: (APP, {name: str(path) for name, path in inputs.items()}) for partition in range(nodes)}, lost)


def training(
    inputs: Mapping[str, Path], folder: Path, block: Federation, over: Callable[[Work, str], Layout] | None = None, labels: Mapping[str, Any] | None = None
) -> Rounds:
    """A training that has not begun; in-process without ``over``, which makes the layout of the server's model and of what nodes are told."""
    prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
    model = MODELS.parse(LINEAR)
    assert isinstance(model, Model)
    shape = TaskShape(prepared.task, prepared.labels, prepared.slots)
    started, records = model.start(shape, {}, SEED), prepared.split("train")
    if block.client.augmentation is None:
        encoded = encode_split(records, started.encoder, shape)
    else:
        encoded, _ = encode_augmented(records, started.encoder, shape, block.client.augmentation)
    source = LABELS.parse(labels or {"kind": "given"})
    assert isinstance(source, Labels)
    labelling = Labelling.of(source, records["id"].tolist(), encoded, SEED)
    held = encoded if labelling is None else blanked(encoded, labelling)
    work = Work(started.network, held, block.client, "cpu", trained_names(started.network, block.client.freeze), labelling)
    told = Told(model=model, client=block.client, timeline=block.timeline, labels=source, seed=SEED).model_dump_json()
    layout = Sequential(work) if over is None else over(work, told)
    folder.mkdir(parents=True, exist_ok=True)
    holdings = Holdings(stream_of(population, records), encoded.records.numpy(), block.timeline, SEED)
    return Rounds(block, work, layout, holdings, population.activity, lambda done: [], 1, SEED, folder / "checkpoints", Report(folder), "train/loss")


def by_nodes(found: Grid, nodes: int, on_failure: Any = "fail", timeout: float = 0.3) -> Callable[[Work, str], Layout]:
    """The layout of a fleet on a grid."""
    return lambda work, told: FlowerLayout(work, Fleet(found, nodes, timeout), told, on_failure)


def weights(rounds: Rounds) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in rounds.work.network.parameters()])
