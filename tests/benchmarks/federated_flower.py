"""Federated rounds of the kinds that a study with Flower, privacy or secure aggregation has, timed part by part.

    python tests/benchmarks/federated_flower.py [--json] [--only private]

flower: a round of 50 of 1,000 devices with the language model of specs/fl_selection/irc_static.yaml, in one process on one core and by Flower's simulation on
one and on two: seconds, and the memory of all processes, each engine in a process of its own.
private: a round with clips and noise against the same without, 50 devices with the language model of specs/fl_selection/irc_static.yaml, on one core.
secure: rounds of secure aggregation of 100 devices with a million parameters each, of which 5 drop out, in one process on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks._engine_rounds import engine_rows
from tests.benchmarks._private_rounds import private_rows
from tests.benchmarks._secure_rounds import secure_rows

PARTS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {"flower": engine_rows, "private": private_rows, "secure": secure_rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="A part; may be given again. All where none is named.")
    given = parser.parse_args()
    rows = []
    for part in given.only or PARTS:
        for found in PARTS[part]():
            rows.append(found)
            if not given.json:
                met = {None: "", True: "met", False: "NOT MET"}[found["met"]]
                target = "" if found["target"] is None else f"{found['target']:.3g}"
                print(f"{found['name']:112} {found['value']:>10.4g} {found['unit']:5} {target:>9} {met}", flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
