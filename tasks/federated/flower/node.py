"""A node: a place that holds the records of one device or of many, and trains them with the code of the in-process engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from tasks.core.component import OneOf
from tasks.core.errors import UserError
from tasks.data.prepared import PreparedData
from tasks.federated.client import Client
from tasks.federated.contributions import Contribution
from tasks.federated.holdings import Held, Holdings
from tasks.federated.jobs import Job, make_job
from tasks.federated.labelling import Labelling, blanked
from tasks.federated.labels import LABELS, Labels
from tasks.federated.local import Work, trained_names
from tasks.federated.partitioning import stream_of
from tasks.federated.population import Population
from tasks.federated.sequential import Sequential
from tasks.federated.timeline import TIMELINES, Timeline
from tasks.federated.totals import Total
from tasks.models.batches import Encoded, encode_split
from tasks.models.model import MODELS, Model, TaskShape
from tasks.privacy.clip_rule import ClipRule
from tasks.training.augmentation import encode_augmented


class Told(BaseModel):
    """What a node must know of a study, the same in every round."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: Annotated[Model, OneOf(MODELS)]
    client: Client
    timeline: Annotated[Timeline, OneOf(TIMELINES)]
    labels: Annotated[Labels, OneOf(LABELS)]
    seed: int


@dataclass(frozen=True)
class Ask:
    """What one device is asked in one round.

    Args:
        client: index of the device, its partition.
        seed: of the device in this round.
        weight: what its update is multiplied with.
    """

    client: int
    seed: int
    weight: float


@dataclass(frozen=True)
class Answer:
    """What one device sends back.

    Args:
        client: index of the device.
        given: its contribution.
        examples: trained on, repeats counted.
        mean_loss, rms_loss: of them.
    """

    client: int
    given: Contribution
    examples: int
    mean_loss: float
    rms_loss: float


class Outgoing(Total):
    """A total of one device: its contribution, on the way to the server."""

    def take(self, job: Job, given: Contribution) -> None:
        """Keep it."""
        self.given = given

    def sum(self) -> list[Tensor]:
        """The contribution, float64."""
        return [tensor.double() for tensor in self.given.tensors]


class Node:
    """The data and the network of a node, read once.

    Args:
        inputs: folders of the prepared ``data``, the ``population``, and what the model is made from, by name. Of the prepared data only the records
            of the node's own devices need to be there.
        told: the study.
        device: where the network is trained.
    """

    def __init__(self, inputs: Mapping[str, Path], told: Told, device: str) -> None:
        for name in ("data", "population"):
            if name not in inputs:
                raise UserError(f"the node's configuration names no folder '{name}'")
        prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
        self._shape = TaskShape(prepared.task, prepared.labels, prepared.slots)
        self._started = told.model.start(self._shape, inputs, told.seed)
        self._started.network.to(device)
        self._trained = trained_names(self._started.network, told.client.freeze)
        records = prepared.split("train")
        # a population's records in its own order; those of other nodes are blank
        self._records = records if population.train_ids is None else records.set_index("id", drop=False).reindex(population.train_ids)
        self._there = self._records["id"].notna().to_numpy()
        stream = stream_of(population, self._records)
        self._holdings = Holdings(stream, np.arange(len(self._records)), told.timeline, told.seed)
        self._told, self._device = told, device
        self._window, self._held = -1, Held(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64))

    def train(self, ask: Ask, window: int, round: int, sent: Sequence[Tensor], rule: ClipRule | None, divisor: float) -> Answer:
        """Train a device from what was sent. Raises UserError where its records are not here."""
        places = self._places(ask.client, window)
        encoded = self._encoded(places)
        rows, labelling = np.arange(len(encoded)), Labelling.of(self._told.labels, self._records["id"].iloc[places].tolist(), encoded, self._told.seed)
        if labelling is not None:
            encoded, rows = blanked(encoded, labelling), labelling.rows(rows, round)
        work = Work(self._started.network, encoded, self._told.client, self._device, self._trained, labelling)
        sent = [tensor.to(self._device) for tensor in sent]
        with torch.no_grad():
            for parameter, tensor in zip(work.parameters.values(), sent, strict=True):
                parameter.copy_(tensor)
        job = make_job(ask.client, rows, self._told.client, ask.seed).weighted(ask.weight)
        total = Outgoing(sent, rule, divisor)
        outcomes = Sequential(work).train([job], total)
        return Answer(ask.client, total.given, job.examples, float(outcomes.mean_loss[0]), float(outcomes.rms_loss[0]))

    def _places(self, client: int, window: int) -> NDArray[np.int64]:
        """The records that a device holds in a window, which it works out by itself."""
        if window != self._window:
            self._window, self._held = window, self._holdings.at(window)
        places = self._held.rows(client)
        missing = int((~self._there[places]).sum())
        if missing:
            raise UserError(f"device {client}: {missing} of the {len(places)} records that it holds are not in this node's data folder")
        return places

    def _encoded(self, places: NDArray[np.int64]) -> Encoded:
        """A device's examples, in the order in which the in-process engine has them."""
        records, augmentation = self._records.iloc[places].reset_index(drop=True), self._told.client.augmentation
        if augmentation is None:
            return encode_split(records, self._started.encoder, self._shape)
        return encode_augmented(records, self._started.encoder, self._shape, augmentation)[0]


@lru_cache(maxsize=1)
def node_of(inputs: tuple[tuple[str, str], ...], told: str, device: str) -> Node:
    """The node of this process: read once, and kept while it is asked for the same study."""
    torch.set_num_threads(1)
    return Node({name: Path(path) for name, path in inputs}, Told.model_validate_json(told), device)
