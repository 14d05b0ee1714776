"""A private step of each engine against a plain step: same model, same batch, interleaved in one run.

    python tests/benchmarks/dp_step.py [--json] [--device cpu|cuda] [--rounds 7] [--threads 2]

Plain training is what ``privacy: {kind: none}`` does (the BiLSTM by torch's fused nn.LSTM). A step is forward, backward, clipping, noise and the
optimizer. Needs torch, pydantic, numpy, safetensors, transformers, tokenizers and opacus; neither Prefect nor MLflow is imported. Targets are the
peer's figures on two cores: Opacus by itself on BERT 4x256, hooks 2.5 to 3.2 times plain, ghost 2.0 to 2.2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

from tasks.models.batches import Encoded
from tasks.models.model import MODELS, Started, TaskShape
from tasks.privacy.clip_rule import CLIP_RULES
from tasks.privacy.engine import ENGINES
from tasks.training.gradients import MeanGradient
from tasks.training.optimizer import OPTIMIZERS
from tasks.training.private_gradient import PrivateGradient

ENGINE_KINDS = ("loop", "vmap", "opacus-hooks", "opacus-ghost", "book-keeping")
STEPS = 10_000
PEER = {
    ("bert 4x256", "opacus-hooks"): 3.2,
    ("bert 4x256", "opacus-ghost"): 2.2,
    ("bert 4x256", "book-keeping"): 1.35,
    ("gpt2 4x256", "book-keeping"): 1.35,
    ("bilstm 128", "book-keeping"): 2.0,
}


@dataclass(frozen=True)
class Case:
    """A model, its task, and the shape of its batch."""

    name: str
    block: dict[str, Any]
    shape: TaskShape
    batch: int
    length: int
    engines: tuple[str, ...]


INTENTS = TaskShape("intent", tuple(map(str, range(150))))
HASHING = {"kind": "hashing", "buckets": 8192, "max_tokens": 64}
CASES = (
    Case(
        "bert 4x256",
        {"kind": "bert", "layers": 4, "hidden_size": 256, "heads": 4, "tokenizer": HASHING},
        INTENTS,
        32,
        64,
        ("loop", "opacus-hooks", "opacus-ghost", "book-keeping"),
    ),
    Case("bilstm 128", {"kind": "bilstm", "hidden_size": 128, "tokenizer": HASHING}, INTENTS, 64, 16, ENGINE_KINDS),
    Case(
        "gpt2 4x256",
        {"kind": "gpt2", "layers": 4, "hidden_size": 256, "heads": 4, "tokenizer": {"kind": "bytes", "max_tokens": 128}},
        TaskShape("lm"),
        16,
        128,
        ("loop", "opacus-hooks", "book-keeping"),
    ),
)


def examples(case: Case, started: Started) -> Encoded:
    """One batch of random ids."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, started.encoder.vocabulary_size, (case.batch, case.length), generator=generator)
    labels = torch.randint(150, (case.batch,), generator=generator) if case.shape.labels else None
    return Encoded(ids, torch.full((case.batch,), case.length), started.encoder.pad_id, torch.arange(case.batch), labels)


def stepper(case: Case, engine: str | None, device: str) -> Callable[[int], None]:
    """A function that takes one whole step; ``engine`` None is plain training."""
    model: Any = MODELS.parse(case.block)
    started: Started = model.start(case.shape, {}, 0)
    network = started.network.to(device).train()
    encoded, indices = examples(case, started), torch.arange(case.batch)
    optimizer = OPTIMIZERS.parse({"kind": "adamw", "learning_rate": 1e-4}).build(network.parameters())  # type: ignore[attr-defined]
    gradient: Callable[..., Tensor | None] = MeanGradient(encoded, device, "fp32", 0, None)
    if engine is not None:
        model.open_up(network)
        clipper = ENGINES.parse({"kind": engine}).clipper(network, CLIP_RULES.parse({"kind": "flat"}))  # type: ignore[attr-defined]
        gradient = PrivateGradient(encoded, clipper, (1.0,) * STEPS, case.batch, 0, case.batch, device, "fp32", True)

    def step(number: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        gradient(network, indices, number)
        optimizer.step()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return step


def timed(step: Callable[[int], None], number: int) -> float:
    """Seconds of one step."""
    begun = time.perf_counter()
    step(number)
    return time.perf_counter() - begun


def measure(case: Case, device: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Rows of one case: milliseconds of a plain step, and each engine's median ratio to the plain step of the same round."""
    steps = {"plain": stepper(case, None, device), **{engine: stepper(case, engine, device) for engine in case.engines}}
    for step in steps.values():
        step(0)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(1, rounds + 1):
        for name, step in steps.items():
            seconds[name].append(timed(step, number))
    yield row(f"{case.name} plain", statistics.median(seconds["plain"]) * 1000, "ms", None)
    for engine in case.engines:
        ratio = statistics.median(found / plain for found, plain in zip(seconds[engine], seconds["plain"], strict=True))
        yield row(f"{case.name} {engine}", ratio, "x plain", PEER.get((case.name, engine)) if device == "cpu" else None)
    if device.startswith("cuda"):
        yield from memory(case, device)


def memory(case: Case, device: str) -> Iterator[dict[str, Any]]:
    """Peak memory of a step over that of a plain step, parameters and optimizer in both."""
    peaks = {}
    for engine in (None, *case.engines):
        torch.cuda.empty_cache()
        step = stepper(case, engine, device)
        step(0)
        torch.cuda.reset_peak_memory_stats()
        step(1)
        peaks[engine] = torch.cuda.max_memory_allocated()
        del step
    for engine in case.engines:
        yield row(f"{case.name} {engine} memory", peaks[engine] / peaks[None], "x plain", None)


def row(name: str, value: float, unit: str, target: float | None) -> dict[str, Any]:
    """A row of the table; without a target it is neither met nor missed."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": None if target is None else value <= target}


def main() -> None:
    """Print a table, or rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="of a CPU run")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = [found for case in CASES for found in measure(case, given.device, given.rounds)]
    if given.json:
        print(json.dumps(rows))
        return
    for found in rows:
        target = "" if found["target"] is None else f"   target {found['target']:g}: {'met' if found['met'] else 'missed'}"
        print(f"{found['name']:<32} {found['value']:>10.2f} {found['unit']}{target}")


if __name__ == "__main__":
    main()
