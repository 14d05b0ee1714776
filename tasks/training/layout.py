"""Which layout trains models of one shape faster, at once or one after another: measured once per model and device, for it decides how numbers round."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tasks.core.step import Report, StepRun
from tasks.models.batches import Encoded
from tasks.models.masking import Masking
from tasks.models.model import Architecture, Started, TaskShape
from tasks.training.batching import ShuffledBatches
from tasks.training.gradients import MeanGradient
from tasks.training.loop import Loop
from tasks.training.precision import resolve
from tasks.training.stack import NotStackable, StackedTraining
from tasks.training.trainer import Trained
from tasks.training.training import Training

LABELS, SLOTS = 64, 32
"""Answers of the model that is timed: those of the real data are not known before it is prepared, and hardly matter."""
STEPS, REPEATS, PATIENCE = 2, 3, 20.0
"""Steps that are timed at once, how often, and the seconds after which they are not timed again."""
ENDLESS = 10_000.0
"""Epochs: nothing is told of the first steps of so many."""


def measure_layout(model: Architecture, training: Training, task: str, count: int, device: str) -> dict[str, Any]:
    """Time steps of ``count`` models at once, and one after another, on examples of any length that the model takes.

    Returns:
        As ``compared``.
    """
    with TemporaryDirectory(prefix="assay-layout-") as folder:
        run = StepRun(Path(folder), Path(folder), device, None, Report(Path(folder), device))
        endless = training.model_copy(update={"epochs": ENDLESS})
        alone = single_loop(begun(model, task, endless, 0, device), endless, 0, run)

        def stack() -> Callable[[], object]:
            models = [begun(model, task, endless, seed, device) for seed in range(count)]
            together = StackedTraining(models, range(count), endless, run, run.checkpoint).loop
            return lambda: advanced(together)

        return compared(count * seconds_of(lambda: advanced(alone), device), stack, device)


def compared(sequential: float, stack: Callable[[], Callable[[], object]], device: str) -> dict[str, Any]:
    """The faster layout, from the seconds of the sequential one and what makes the stacked one ready. A network that cannot be stacked is sequential.

    Returns:
        ``layout``, ``seconds`` by layout, and ``reason`` where one cannot be used.
    """
    seconds = {"sequential": sequential}
    try:
        seconds["stacked"] = seconds_of(stack(), device)
    except (RuntimeError, ValueError, AssertionError, NotStackable) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return {"layout": "sequential", "seconds": seconds, "reason": f"cannot be stacked: {reason[:200]}"}
    return {"layout": min(seconds, key=lambda name: seconds[name]), "seconds": seconds}


def seconds_of(work: Callable[[], object], device: str) -> float:
    """The fastest of a few, after one to warm up."""
    found: list[float] = []
    while len(found) < 2 or (len(found) < 1 + REPEATS and sum(found) < PATIENCE):
        began = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return min(found[1:])


def begun(model: Architecture, task: str, training: Training, seed: int, device: str) -> Trained:
    """A model on made-up examples, two batches of them, as its training begins."""
    started, shape, encoded = made_up(model, task, STEPS * training.expected_batch_size, seed)
    started.network.to(device)
    lengths = torch.randint(1, encoded.ids.shape[1] + 1, (len(encoded),), generator=torch.Generator().manual_seed(seed))
    return Trained(started, shape, replace(encoded, lengths=lengths), resolve(training.precision, device, model.transformer))


def single_loop(one: Trained, training: Training, seed: int, run: StepRun) -> Loop:
    """Its single training."""
    network = one.started.network
    return Loop(
        network=network.train(),
        optimizer=training.optimizer.build([parameter for parameter in network.parameters() if parameter.requires_grad]),
        training=training,
        batches=ShuffledBatches(one.encoded.lengths, training.expected_batch_size, seed),
        gradient=MeanGradient(one.encoded, run.device, one.precision, seed, run.physical_batch_size),
        evaluate=None,
        device=run.device,
        folder=run.checkpoint,
        report=run.report,
    )


def advanced(loop: Loop) -> None:
    """A few steps more."""
    for _ in range(STEPS):
        loop.advance()


def made_up(model: Architecture, task: str, count: int, seed: int = 0) -> tuple[Started, TaskShape, Encoded]:
    """A new model, and examples of any content, as long as it takes."""
    shape = TaskShape(
        task,
        tuple(str(index) for index in range(LABELS)) if task in ("intent", "joint") else (),
        ("O", *(f"B-{index}" for index in range(SLOTS))) if task in ("tagging", "joint") else (),
    )
    started = model.start(shape, {}, seed)
    generator = torch.Generator().manual_seed(seed)
    longest = started.encoder.max_tokens
    ids = torch.randint(started.encoder.vocabulary_size, (count, longest), generator=generator)
    labels = torch.randint(len(shape.labels), (count,), generator=generator) if shape.labels else None
    slots = torch.randint(len(shape.slots), (count, longest), generator=generator) if shape.slots else None
    masking = Masking.of(started.encoder) if task == "mlm" else None
    lengths = torch.full((count,), longest, dtype=torch.long)
    found = Encoded(ids, lengths, started.encoder.pad_id, torch.arange(count), labels, slots, masking=masking)
    if task == "qa":
        first = torch.zeros(count, dtype=torch.long)
        found = replace(found, starts=first, ends=first, spans=torch.zeros(count, longest, 2, dtype=torch.long))
    return started, shape, replace(found, written=ids) if task == "seq2seq" else found
