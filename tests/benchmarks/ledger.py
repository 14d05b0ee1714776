"""The ledger at the size of years: `assay ledger` over 100,000 entries, its check, and what a reservation costs a training.

    python tests/benchmarks/ledger.py [--json] [--entries 100000]

Entries are those of private trainings of five settings on ten populations, reserved and committed. The command is timed as a person waits for it, imports and
the composition of every population among it; the second time the compositions are kept. A commit and an
entry without a cost are timed in a ledger of that size; a reservation is such an entry and one composition.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tasks.privacy.ledger.database import opened, writing
from tasks.privacy.ledger.entry import GENESIS, Entry
from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.ledger.spent import written
from tasks.privacy.ledger.tables import ENTRIES
from tasks.privacy.mechanism import Mechanism, Release

CHECKOUT = Path(__file__).resolve().parents[2]
POPULATIONS, NOISES, RATE, STEPS = 10, (4.0, 5.0, 6.0, 7.0, 8.0), 1e-4, 10
LIMIT_SECONDS = 5.0


def row(name: str, value: float, unit: str, target: float | None = None) -> dict[str, Any]:
    """One line of the table; a target is an upper limit."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": None if target is None else value <= target}


def filled(url: str, entries: int) -> Ledger:
    """A ledger of many trainings, each reserved and committed."""
    ledger = Ledger(opened(url))
    mechanisms = [written(Mechanism((Release(noise, RATE, STEPS),))) for noise in NOISES]
    rows, previous = [], GENESIS
    for position in range(1, entries + 1):
        training, commits = divmod(position - 1, 2)
        cost = (
            {}
            if commits
            else {"level": "example-level", "adjacency": "add-remove", "mechanism": mechanisms[training % len(NOISES)], "epsilon": 0.1, "delta": 1e-6}
        )
        values: dict[str, Any] = {"level": None, "adjacency": None, "mechanism": None, "epsilon": None, "delta": None, **cost}
        action: Any = "commit" if commits else "reserve"
        entry = Entry(
            position, "2026-01-01T00:00:00+00:00", f"p{training % POPULATIONS}", action, f"t{training}", note="", previous=previous, **values
        ).sealed()
        previous = entry.hash
        rows.append(asdict(entry))
    with writing(ledger.engine) as connection:
        connection.execute(ENTRIES.insert(), rows)
    return ledger


def measured(entries: int) -> Iterator[dict[str, Any]]:
    """The rows of the table."""
    with TemporaryDirectory() as folder:
        os.environ["ASSAY_HOME"] = folder
        url = f"sqlite:///{folder}/ledger.db"
        ledger = filled(url, entries)
        yield row("entries", entries, "")
        yield row("assay ledger, nothing kept", _command(url), "s", LIMIT_SECONDS)
        yield row("assay ledger", _command(url), "s", LIMIT_SECONDS)
        yield row("assay ledger verify", _command(url, "verify"), "s", LIMIT_SECONDS)
        yield row("assay ledger show p0", _command(url, "show", "p0"), "s", LIMIT_SECONDS)
        yield row("a commit", _median(lambda index: ledger.commit(f"t{index}")) * 1000, "ms")
        yield row("an uncovered training", _median(lambda index: ledger.uncover("plain", f"u{index}", "")) * 1000, "ms")


def _command(url: str, *arguments: str) -> float:
    environment = {**os.environ, "ASSAY_LEDGER": url, "PYTHONPATH": str(CHECKOUT)}
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipelines.cli.main", "ledger", *arguments], cwd=CHECKOUT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _median(work: Any, times: int = 15) -> float:
    spent = []
    for index in range(times):
        begun = time.perf_counter()
        work(index)
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print rows of name, value, unit, target, met")
    parser.add_argument("--entries", type=int, default=100_000)
    arguments = parser.parse_args()
    rows = list(measured(arguments.entries))
    if arguments.json:
        print(json.dumps(rows))
        return
    for line in rows:
        met = "" if line["met"] is None else f"   at most {line['target']:g} {line['unit']}: {'met' if line['met'] else 'MISSED'}"
        print(f"{line['name']:<32}{line['value']:>12,.3f} {line['unit']}{met}")


if __name__ == "__main__":
    main()
