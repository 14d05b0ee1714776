"""A small cohort on each architecture, for tests of local training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tasks.core.component import components_in
from tasks.federated.client import Client
from tasks.federated.jobs import Job, Outcomes, device_seed, make_job
from tasks.federated.local import Layout, Update, Work, trained_names
from tasks.federated.totals import RunningTotal
from tasks.models.batches import Encoded
from tasks.models.masking import IGNORED
from tasks.models.model import MODELS, Architecture, Started, TaskShape

MODELS_OF_TASK: dict[str, tuple[str, Mapping[str, Any]]] = {
    "linear": ("intent", {"kind": "linear", "bigram_buckets": 64, "tokenizer": {"kind": "hashing", "buckets": 50, "max_tokens": 12}}),
    "bilstm": (
        "joint",
        {"kind": "bilstm", "embedding_size": 8, "hidden_size": 8, "dropout": 0, "tokenizer": {"kind": "hashing", "buckets": 50, "max_tokens": 12}},
    ),
    "bert": (
        "joint",
        {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0, "tokenizer": {"kind": "hashing", "buckets": 50, "max_tokens": 12}},
    ),
    "bilstm-qa": (
        "qa",
        {"kind": "bilstm", "embedding_size": 8, "hidden_size": 8, "dropout": 0, "tokenizer": {"kind": "hashing", "buckets": 50, "max_tokens": 12}},
    ),
    "bart": ("seq2seq", {"kind": "bart", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0, "tokenizer": {"kind": "bytes", "max_tokens": 12}}),
    "gpt2": ("lm", {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0, "tokenizer": {"kind": "bytes", "max_tokens": 12}}),
}
SIZES = (7, 1, 12, 3, 5)
"""Examples of each device: ragged, so that stacks are padded and devices end at different steps."""


def started(name: str, seed: int = 0) -> tuple[Started, Encoded]:
    """A model, and random examples that it can be trained on."""
    task, block = MODELS_OF_TASK[name]
    model = MODELS.parse(dict(block))
    assert isinstance(model, Architecture) and list(components_in(model))
    joint = task == "joint"
    shape = TaskShape(task, ("a", "b", "c") if task in ("intent", "joint") else (), ("O", "B-x", "I-x") if joint else ())
    made = model.start(shape, {}, seed)
    return made, examples(made, shape)


def examples(made: Started, shape: TaskShape) -> Encoded:
    generator = torch.Generator().manual_seed(1)
    count, longest = sum(SIZES), made.encoder.max_tokens
    lengths = torch.randint(3, longest + 1, (count,), generator=generator)
    ids = torch.randint(3, 40, (count, longest), generator=generator)
    beyond = torch.arange(longest) >= lengths.unsqueeze(1)
    ids = ids.masked_fill(beyond, made.encoder.pad_id)
    labels = torch.randint(3, (count,), generator=generator) if shape.labels else None
    slots = torch.randint(3, (count, longest), generator=generator).masked_fill(beyond, IGNORED) if shape.slots else None
    found = Encoded(ids, lengths, made.encoder.pad_id, torch.arange(count), labels, slots)
    if shape.task == "qa":
        spans = torch.zeros(count, longest, 2, dtype=torch.long).masked_fill(beyond.unsqueeze(2), -1)
        return replace(found, starts=lengths // 3, ends=lengths - 1, spans=spans)
    return replace(found, written=ids.flip(0).masked_fill(beyond.flip(0), IGNORED)) if shape.task == "seq2seq" else found


def work(made: Started, encoded: Encoded, **client: Any) -> Work:
    block = Client.model_validate({"batch_size": 3, "epochs": 2, **client})
    return Work(made.network, encoded, block, "cpu", trained_names(made.network, block.freeze))


def jobs(block: Client, seed: int = 0, round: int = 0) -> list[Job]:
    """One job per device, each with a weight of its own."""
    ends = np.cumsum(SIZES)
    rows = [np.arange(end - size, end) for size, end in zip(SIZES, ends, strict=True)]
    return [make_job(client, mine, block, device_seed(seed, round, client)).weighted(0.1 * (client + 1)) for client, mine in enumerate(rows)]


def trained(layout: Layout, given: Sequence[Job]) -> tuple[Update, Outcomes]:
    """The sum of weighted updates by name, and what the devices report."""
    total = RunningTotal(layout.work.sent())
    outcomes = layout.train(given, total)
    return dict(zip(layout.work.trained, total.sum(), strict=True)), outcomes
