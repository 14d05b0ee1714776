"""What orchestration costs, split by cause: the command, planning, the embedded server, the pool, one step, a finished study.

    python tests/benchmarks/orchestration.py [--json] [--steps 100]

Every figure is a median of whole processes on this machine; the targets are those of the project's first issue.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STUDY = """
kind: dp-training
name: orchestration
data: {kind: synthetic-assistant, examples: 300, task: intent}
model: {kind: linear}
training: {epochs: 1}
privacy: {kind: none}
utility: [{kind: accuracy}]
sweep: {seeds: [0]}
"""

INSIDE = """
import json, sys, time
begun = time.perf_counter()
from pathlib import Path
from pipelines.running import ONE_THREAD
from pipelines.embedded import server, wait_until_up
marks = {}
def mark(name, since):
    marks[name] = time.perf_counter() - since
    return time.perf_counter()
if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import bench_steps
    with server():
        t = time.perf_counter()
        from prefect import flow
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        t = mark("import prefect", t)
        from pipelines.fanout import Fanout
        from pipelines.pool import Pool
        from pipelines.coordinator import warm_up
        warm_up()
        t = mark("import mlflow and open records", t)
        wait_until_up()
        t = mark("wait for the embedded server", t)
        count = int(sys.argv[1])

        def make(pool, nodes):
            failed = Fanout(pool, bench_steps.call, lambda node: None, lambda waiting: None, 3).make(nodes)
            assert not failed, failed

        @flow(name="bench", persist_result=False)
        def bench():
            entered = time.perf_counter()
            marks["enter a flow"] = entered - started
            with Pool.of_processes(2) as pool:
                make(pool, bench_steps.nodes(0, 2))
                marks["first pooled step (spawn, import)"] = time.perf_counter() - entered
                t = time.perf_counter()
                make(pool, bench_steps.nodes(2, count))
                marks["pooled step, orchestration"] = (time.perf_counter() - t) / count

        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            started = time.perf_counter()
            bench()
    print(json.dumps(marks))
"""

STEPS = """
import os
from tasks.core.graph import Call, Graph
from tasks.core.places import store_url
from tasks.core.step import Step, StepConfig

class Toy(StepConfig):
    number: int

def work(config, inputs, seed, run):
    (run.folder / "x").write_text(str(config.number))

TOY = Step("toy", work, Toy)

def nodes(start, count):
    graph = Graph()
    return [graph.add(TOY, Toy(number=start + index), {}, None, f"toy {start + index}") for index in range(count)]

def call(node):
    return Call(node.step, node.config, {}, None, node.key, node.label, node.shape, "cpu", None, store_url(), "")
"""


def timed(command: list[str], environment: Mapping[str, str], runs: int) -> float:
    """Median wall seconds of a command."""
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run(command, cwd=CHECKOUT, env=dict(environment), check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def inside(folder: Path, environment: Mapping[str, str], steps: int) -> dict[str, float]:
    """Seconds by cause inside one run with trivial steps."""
    (folder / "bench_steps.py").write_text(STEPS)
    (folder / "bench_inside.py").write_text(INSIDE)
    path = os.pathsep.join((str(CHECKOUT), str(folder)))
    done = subprocess.run(
        [sys.executable, str(folder / "bench_inside.py"), str(steps)], env={**environment, "PYTHONPATH": path}, check=True, capture_output=True, text=True
    )
    marks: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return marks


def measure(steps: int) -> list[dict[str, object]]:
    """All rows."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        environment = {**os.environ, "ASSAY_HOME": str(folder)}
        study = folder / "study.yaml"
        study.write_text(STUDY)
        assay = [sys.executable, "-m", "pipelines.cli.main"]
        rows = [
            row("assay --help", timed([*assay, "--help"], environment, 5), 1.0),
            row("assay validate", timed([*assay, "validate", str(study)], environment, 5), 1.0),
            row("assay plan, first", timed([*assay, "plan", str(study)], environment, 1), None),
            row("assay plan", timed([*assay, "plan", str(study)], environment, 5), 2.0),
            row("assay run, first in this home (one trial)", timed([*assay, "run", str(study)], environment, 1), None),
            row("assay run, finished study again", timed([*assay, "run", str(study)], environment, 5), 12.0),
        ]
        marks = inside(folder, environment, steps)
        pooled = marks.pop("pooled step, orchestration")
        start_up = sum(marks.values()) - marks["first pooled step (spawn, import)"]
        rows += [row(f"inside run: {cause}", seconds, None) for cause, seconds in marks.items()]
        rows.append(row("start-up of run, before the first step", start_up, 15.0))
        rows.append(row("pooled step, orchestration", pooled, 0.150))
        return rows


def row(name: str, value: float, target: float | None) -> dict[str, object]:
    """One row of the table."""
    return {"name": name, "value": round(value, 3), "unit": "s", "target": target, "met": None if target is None else value <= target}


def main() -> None:
    """Print the table, or rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    rows = measure(arguments.steps)
    if arguments.json:
        print(json.dumps(rows))
        return
    for item in rows:
        verdict = "" if item["target"] is None else f"  target {item['target']} s: {'met' if item['met'] else 'MISSED'}"
        print(f"{item['name']:<48}{item['value']:>9} s{verdict}")


if __name__ == "__main__":
    main()
