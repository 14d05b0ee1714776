"""Helpers of the fault tests: the real command in a home of its own, killed and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pipelines import databases

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass
class Home:
    """A home folder for `assay` commands."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        dropped = {"PREFECT_API_URL", "MLFLOW_TRACKING_URI", "ASSAY_DATABASE", "ASSAY_ROOTS", "ASSAY_STORE"}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, "ASSAY_HOME": str(self.folder), **self.extra}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        if "ASSAY_DATABASE" not in self.extra:
            databases.begin(self.folder)
        command = [sys.executable, "-m", "pipelines.cli.main", *arguments]
        return subprocess.Popen(command, cwd=CHECKOUT, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str, timeout: float = 600) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        databases.end(self.folder)
        return process.returncode, out, err

    def result(self, study: Path, *options: str) -> dict[str, Any]:
        """The comparison of a study run to its end."""
        code, out, err = self.run("run", str(study), "--json", *options)
        assert code == 0, f"exit {code}\n{out}\n{err}"
        values: dict[str, Any] = json.loads(out)
        return values

    def run_and_kill(self, study: Path, after: float) -> bool:
        """Kill -9 the command some seconds in; whether it was still at work."""
        process = self.start("run", str(study), "--json")
        try:
            process.communicate(timeout=after)
            return False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True

    def artifacts(self) -> dict[str, float]:
        """Committed artifacts and when they were committed."""
        shelf = self.folder / "mlruns" / "store" / "artifacts"
        return {path.parent.name: json.loads(path.read_text())["committed"] for path in shelf.glob("*/manifest.json")}


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """What must not change between runs: every number except the costs, which are times and bytes of one machine."""
    return {
        arm: {name: (row["value"], row["low"], row["high"], row["n"]) for name, row in metrics.items() if not name.startswith("cost/")}
        for arm, metrics in result["arms"].items()
    }


def wait_for(condition: Any, timeout: float) -> bool:
    """Whether a condition came true in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
