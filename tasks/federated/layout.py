"""Which layout trains a cohort faster: measured once per model and device, for it decides how numbers round."""

from __future__ import annotations

import time
from typing import Any, Literal

import torch

from tasks.federated.client import Client
from tasks.federated.jobs import Job, device_seed, make_job
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.models.batches import Encoded
from tasks.models.model import Architecture, Started, TaskShape

LABELS, SLOTS = 64, 32
"""Answers of the model that is timed: those of the real data are not known before it is prepared, and hardly matter."""
STEPS, REPEATS = 2, 3

Layouts = Literal["stacked", "sequential"]


def measure_layout(model: Architecture, client: Client, task: str, chunk: int, device: str) -> dict[str, Any]:
    """Time both on devices that hold two batches each. A network that cannot be stacked is trained sequentially.

    Returns:
        ``layout``, ``seconds`` of a cohort by layout, and ``reason`` where one cannot be used.
    """
    shape = TaskShape(
        task,
        tuple(str(index) for index in range(LABELS)) if task in ("intent", "joint") else (),
        ("O", *(f"B-{index}" for index in range(SLOTS))) if task in ("tagging", "joint") else (),
    )
    made = model.start(shape, {}, 0)
    made.network.to(device)
    block = client.model_copy(update={"epochs": 1, "max_steps": STEPS, "freeze": client.freeze})
    held = STEPS * block.batch_size
    encoded = _random(made, shape, held)
    work = Work(made.network, encoded, block, device, trained_names(made.network, block.freeze))
    jobs = [make_job(index, encoded.records.numpy(), block, device_seed(0, 0, index)).weighted(1 / chunk) for index in range(chunk)]
    seconds = {"sequential": _seconds(Sequential(work), jobs, device)}
    model.open_up(made.network)
    try:
        seconds["stacked"] = _seconds(Stacked(work, chunk), jobs, device)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return {"layout": "sequential", "seconds": seconds, "reason": f"cannot be stacked: {reason[:200]}"}
    return {"layout": min(seconds, key=lambda name: seconds[name]), "seconds": seconds}


def _seconds(layout: Layout, jobs: list[Job], device: str) -> float:
    """The fastest of a few, after one to warm up."""
    found = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        layout.train(jobs)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return min(found[1:])


def _random(made: Started, shape: TaskShape, count: int) -> Encoded:
    """Examples of any content, as long as the model takes."""
    generator = torch.Generator().manual_seed(0)
    longest = made.encoder.max_tokens
    ids = torch.randint(made.encoder.vocabulary_size, (count, longest), generator=generator)
    labels = torch.randint(len(shape.labels), (count,), generator=generator) if shape.labels else None
    slots = torch.randint(len(shape.slots), (count, longest), generator=generator) if shape.slots else None
    lengths = torch.full((count,), longest, dtype=torch.long)
    return Encoded(ids, lengths, made.encoder.pad_id, torch.arange(count), labels, slots)
