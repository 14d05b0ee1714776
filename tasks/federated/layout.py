"""Which layout trains a cohort faster: measured once per model and device, for it decides how numbers round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.federated.client import Client
from tasks.federated.jobs import device_seed, make_job
from tasks.federated.local import Work, trained_names
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.federated.totals import RunningTotal
from tasks.models.model import Architecture
from tasks.training.layout import STEPS, compared, made_up, seconds_of


def measure_layout(model: Architecture, client: Client, task: str, chunk: int, device: str) -> dict[str, Any]:
    """Time both on devices that hold two batches each.

    Returns:
        ``layout``, ``seconds`` of a cohort by layout, and ``reason`` where one cannot be used.
    """
    block = client.model_copy(update={"epochs": 1, "max_steps": STEPS, "freeze": client.freeze})
    made, _, encoded = made_up(model, task, STEPS * block.batch_size)
    made.network.to(device)
    work = Work(made.network, encoded, block, device, trained_names(made.network, block.freeze))
    jobs = [make_job(index, encoded.records.numpy(), block, device_seed(0, 0, index)).weighted(1 / chunk) for index in range(chunk)]

    def stack() -> Callable[[], object]:
        model.open_up(made.network)
        stacked = Stacked(work, chunk)
        return lambda: stacked.train(jobs, RunningTotal(work.sent()))

    sequential = Sequential(work)
    return compared(seconds_of(lambda: sequential.train(jobs, RunningTotal(work.sent())), device), stack, device)
