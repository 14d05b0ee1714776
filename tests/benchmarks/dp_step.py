"""A private step of each engine against a plain step: same model, same batch, interleaved in one run; time and memory.

    python tests/benchmarks/dp_step.py [--json] [--device cpu|cuda] [--rounds 15] [--threads 2]
    python tests/benchmarks/dp_step.py --growth growth.png      # how time grows with length, batch and vocabulary, as a plot

Plain training is what ``privacy: {kind: none}`` does (the BiLSTM by torch's fused nn.LSTM). A step is forward, backward, clipping, noise and the
optimizer; ratios are medians over rounds. Memory is what a step has alive at most, less parameters and optimizer. Needs torch, pydantic, numpy,
safetensors, transformers, tokenizers and opacus; neither Prefect nor MLflow is imported. Opacus by itself on BERT 4x256: hooks 2.5 to 3.2, ghost 2.0 to 2.2.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tests.benchmarks._dp_cases import BERT, BILSTM, GPT2, ON_GPU, Case, Stepper
from tests.benchmarks._dp_growth import grown, plotted
from tests.benchmarks._live_memory import LiveMemory


def timed(step: Stepper, number: int) -> float:
    """Seconds of one step."""
    begun = time.perf_counter()
    step(number)
    return time.perf_counter() - begun


def ratios(case: Case, device: str, rounds: int) -> tuple[float, dict[str, float]]:
    """Milliseconds of a plain step, and each engine's median ratio to the plain step of the same round."""
    steps = {engine: Stepper(case, engine, device) for engine in (None, *case.engines)}
    for step in steps.values():
        step(0)
    seconds: dict[str | None, list[float]] = {engine: [] for engine in steps}
    for number in range(1, rounds + 1):
        for engine, step in steps.items():
            seconds[engine].append(timed(step, number))
    found = {engine: statistics.median(own / plain for own, plain in zip(seconds[engine], seconds[None], strict=True)) for engine in case.engines}
    return statistics.median(seconds[None]) * 1000, found


def peak(case: Case, engine: str | None, device: str) -> float:
    """The most bytes alive in a step that is not the first, without parameters and optimizer."""
    gc.collect()  # hooks and their network hold each other: on a GPU those of the engine before would be counted
    step = Stepper(case, engine, device)
    if device.startswith("cuda"):
        step(0)
        parameters = sum(value.nbytes for value in step.network.parameters())
        torch.cuda.reset_peak_memory_stats()
        step(1)
        return float(torch.cuda.max_memory_allocated() - parameters - step.standing_bytes)
    with LiveMemory(step.network.parameters()) as memory:
        step(0)
        memory.peak = memory.now
        step(1)
    return float(memory.peak - step.standing_bytes)


def measure(case: Case, device: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Rows of one case."""
    plain, found = ratios(case, device, rounds)
    yield row(f"{case.name} plain", plain, "ms", None)
    for engine, ratio in found.items():
        yield row(f"{case.name} {engine}", ratio, "x plain", case.targets.get(engine, (None, None))[0])
    least = peak(case, None, device)
    yield row(f"{case.name} plain memory", least / 2**20, "MiB", None)
    for engine in case.engines:
        yield row(f"{case.name} {engine} memory", peak(case, engine, device) / least, "x plain", case.targets.get(engine, (None, None))[1])


def row(name: str, value: float, unit: str, target: float | None) -> dict[str, Any]:
    """A row of the table; without a target it is neither met nor missed."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": None if target is None else value <= target}


def main() -> None:
    """Print a table, or rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2, help="of a CPU run")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--growth", type=Path, default=None, metavar="PNG", help="measure how time grows instead, and plot it here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.growth is not None:
        curves = grown(lambda case: ratios(case, given.device, max(3, given.rounds // 3))[1])
        plotted(curves, given.growth)
        rows = [row(f"bert 2x128 {curve.engine}, {curve.by} {size}", value, "x plain", None) for curve in curves for size, value in curve.points]
    else:
        cases = ON_GPU if given.device.startswith("cuda") else (BERT, BILSTM, GPT2)
        rows = [found for case in cases if case.name.startswith(given.only) for found in measure(case, given.device, given.rounds)]
    if given.json:
        print(json.dumps(rows))
        return
    if given.device.startswith("cuda"):
        print(torch.cuda.get_device_name())
    for found in rows:
        target = "" if found["target"] is None else f"   target {found['target']:g}: {'met' if found['met'] else 'missed'}"
        print(f"{found['name']:<44} {found['value']:>10.2f} {found['unit']}{target}")


if __name__ == "__main__":
    main()
