"""Fairness metrics at the sizes that people use: CEAT's draws, prediction sensitivity of 10,000 sentences, StereoSet's 4,229 items.

    python tests/benchmarks/fairness.py [--json] [--sentences 10000] [--looped 60]

CEAT: ten tests with the lengths of the published lists, 200 contexts a word of width 768, 10,000 draws each. Sensitivity: sentences of 12 words on
a BERT of 4 layers of 256 with 3 classes, probabilities; the peer is a forward and backward pass with weight gradients over the same batches, and a
loop over ``--looped`` sentences and classes, scaled up to all; both in the same run. StereoSet: a model of 6 layers of 256.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from tasks.fairness._ceat import draws, pooled
from tasks.fairness._sensitivity import TOKENS, captured, token_sensitivities
from tasks.models.artifact import save_model
from tasks.models.batches import network_inputs
from tasks.models.model import MODELS, Started, TaskShape
from tasks.models.probing import Probe
from tests.benchmarks._fairness_stereoset import stereoset

LISTS = ((25, 25, 25, 25), (25, 25, 25, 25), (32, 32, 25, 25), (16, 16, 25, 25), (16, 16, 8, 8), *((8, 8, 8, 8),) * 3, (6, 6, 7, 7), (8, 8, 8, 8))
"""Words in X, Y, A and B of the tests C1 to C10."""
CONTEXTS, WIDTH, DRAWS = 200, 768, 10_000
BERT = {"kind": "bert", "layers": 4, "hidden_size": 256, "heads": 4, "dropout": 0.0, "tokenizer": {"kind": "bytes", "max_tokens": 64}}
LABELS = ("a", "b", "c")


def row(name: str, value: float, unit: str, target: float | None, met: bool | None) -> dict[str, Any]:
    """One line of the table."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": met}


def ceat() -> Iterator[dict[str, Any]]:
    """Seconds of all tests on embeddings that are given."""
    generator = np.random.default_rng(0)
    spent = 0.0
    for sizes in LISTS:
        lists = [[generator.normal(size=(CONTEXTS, WIDTH)) for _ in range(size)] for size in sizes]
        begun = time.perf_counter()
        effects, variances, _ = draws(lists, DRAWS, generator, replace=False)
        pooled(effects, variances)
        spent += time.perf_counter() - begun
    yield row(f"CEAT, {len(LISTS)} tests x {DRAWS:,} draws", spent, "s", 10.0, spent < 10)


def sensitivity(count: int, looped: int) -> Iterator[dict[str, Any]]:
    """Ratios to a training pass and to a loop, of the same sentences on the same network."""
    with TemporaryDirectory() as folder:
        probe = _probe(Path(folder))
    generator = np.random.default_rng(0)
    rows = [generator.integers(4, 250, size=int(length)).tolist() for length in generator.integers(8, 24, size=count)]
    token_sensitivities(probe, rows[:200], 2, "probability")  # warm
    ours = _timed(lambda: token_sensitivities(probe, rows, 2, "probability"))
    passed = _timed(lambda: _passes(probe, rows))
    loop = _timed(lambda: _loop(probe, rows[:looped])) * count / looped
    yield row(f"prediction sensitivity, {count:,} sentences", ours, "s", None, None)
    yield row("over a forward and backward pass with weight gradients", ours / passed, "x", 3.0, ours / passed <= 3)
    yield row("a loop over sentences and classes over it", loop / ours, "x", 10.0, loop / ours >= 10)


def _probe(folder: Path) -> Probe:
    model: Any = MODELS.parse(BERT)
    shape = TaskShape("intent", LABELS)
    started: Started = model.start(shape, {}, 0)
    save_model(folder, started, shape, {}, {})
    return Probe.open(folder)


def _passes(probe: Probe, rows: Sequence[Sequence[int]]) -> None:
    for _, batch in probe.batches(rows, None, TOKENS):
        probe.network.zero_grad()
        probe.network(**network_inputs(batch))["intent"].logsumexp(dim=-1).sum().backward()


def _loop(probe: Probe, rows: Sequence[Sequence[int]]) -> None:
    """One sentence and one class at a time, as the definition reads."""
    for ids in rows:
        for label in range(len(LABELS)):
            for _, batch in probe.batches([ids]):
                with captured(probe) as leaves:
                    chance = probe.network(**network_inputs(batch))["intent"].softmax(dim=-1)[0, label]
                    torch.autograd.grad(chance, leaves[0])[0].norm(dim=-1)


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="rows of name, value, unit, target, met")
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--looped", type=int, default=60, help="sentences that the loop goes through")
    arguments = parser.parse_args()
    rows = []
    for found in (*ceat(), *sensitivity(arguments.sentences, arguments.looped), *stereoset()):
        rows.append(found)
        if not arguments.json:
            target = "" if found["target"] is None else f"target {found['target']:g} {'met' if found['met'] else 'NOT MET'}"
            print(f"{found['name']:<60} {found['value']:>10,.3f} {found['unit']:<3} {target}", flush=True)
    if arguments.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
