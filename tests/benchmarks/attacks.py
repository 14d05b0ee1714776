"""What attacks cost: many shadow models at once against one after another, scores of records, exposure over every candidate, in one run.

    python tests/benchmarks/attacks.py [--json] [--only shadows] [--steps 30]

Shadows: a step of 16 models, each on a pool of about 1,000 short texts, batches of 64, with AdamW; ratios are medians over steps that are interleaved. On
one thread, as steps of a study run, and on a CUDA device where there is one. A stack pads each step to the longest text of all its models, which sequential
training does not; on a processor most models are faster one after another, and `layout: auto` finds that out.

Scoring: LiRA and RMIA on 10,000 records given the losses of 16 shadow models. Exposure: one canary of five digits in a BiLSTM, exactly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tests.benchmarks._attacks_exposure import exposure_rows
from tests.benchmarks._attacks_scoring import scoring_rows
from tests.benchmarks._attacks_shadows import shadow_rows

Rows = Iterator[dict[str, Any]]
PARTS: dict[str, Callable[[argparse.Namespace, str], Rows]] = {
    "shadows": lambda given, device: shadow_rows(device, given.steps),
    "scoring": lambda given, device: scoring_rows() if device == "cpu" else iter(()),
    "exposure": lambda given, device: exposure_rows() if device == "cpu" else iter(()),
}
"""Each on a device; rows have name, value, unit, target, met."""


def rows(given: argparse.Namespace) -> Rows:
    """Those of all parts that are asked for, on every device."""
    for name, part in PARTS.items():
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            if name.startswith(given.only):
                yield from part(given, device)


def main(arguments: list[str] | None = None) -> None:
    """Print a table, or rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    parser.add_argument("--steps", type=int, default=30, help="that are timed of each training")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.json:
        print(json.dumps(list(rows(given))))
        return
    for found in rows(given):
        target = "" if found["target"] is None else f"   target {found['target']:g}: {'met' if found['met'] else 'missed'}"
        print(f"{found['name']:<56} {found['value']:>10.3f} {found['unit']}{target}", flush=True)


if __name__ == "__main__":
    main()
