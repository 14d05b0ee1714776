"""A study run in this process, without Prefect: each step is made when it is submitted. For what the coordinator itself decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines import fanout
from pipelines.arranging import Arranged, Skipped, arrange
from pipelines.coordinator import coordinate
from pipelines.makers import Makers
from pipelines.outcome import Outcome
from pipelines.planning import make_plan
from pipelines.pool import Pool
from pipelines.progress import Terminal
from specs.loading import load_mapping
from tasks.core.graph import Call
from tasks.core.places import home
from tasks.runtime.execution import execute
from tests.pipelines import databases


@dataclass
class Ended:
    """A future that has ended, and its own state."""

    error: BaseException | None
    ran: bool

    @property
    def wrapped_future(self) -> Ended:
        return self

    @property
    def state(self) -> Ended:
        return self

    message = "not run"
    name = "NotReady"

    def done(self) -> bool:
        return True

    def wait(self, timeout: float) -> None:
        return

    def exception(self, timeout: float) -> BaseException | None:
        return None

    def is_completed(self) -> bool:
        return self.ran and self.error is None

    def is_failed(self) -> bool:
        return self.ran and self.error is not None

    def is_crashed(self) -> bool:
        return False

    def result(self, raise_on_failure: bool) -> BaseException | None:
        return self.error


class InThisProcess(Pool):
    """Makes a step when it is submitted."""

    def __init__(self) -> None:
        return

    def __exit__(self, *ended: object) -> None:
        return

    def submit(self, call: Call, after: Iterable[Any]) -> Any:
        if not all(future.is_completed() for future in after):
            return Ended(None, ran=False)
        try:
            execute(call)
        except Exception as error:
            return Ended(error, ran=True)
        return Ended(None, ran=True)


def at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep all records and artifacts of a test in a folder of its own."""
    for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(folder))


def begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first study of a test."""
    monkeypatch.setattr(fanout, "PAUSE", 0.0)
    databases.begin(home())


def run(study: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, new: bool = False) -> Outcome:
    """Run a study given as plain values; ASSAY_HOME must name a folder of the test's own."""
    ended = night(study, monkeypatch, new)
    assert isinstance(ended, Outcome)
    return ended


def night(study: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, new: bool = False) -> Outcome | Skipped:
    """The same of a retraining audit, which may have nothing to do."""
    begin(monkeypatch)
    arranged = arrange(load_mapping(study), begin=True, new=new)
    return arranged if isinstance(arranged, Skipped) else go_on(arranged, new)


def go_on(arranged: Arranged, new: bool = False) -> Outcome:
    """Run what was arranged."""
    plan = make_plan(arranged.loaded, begin=True, new=new)
    return coordinate(plan, new, Terminal(quiet=True), Makers(InThisProcess(), 2), arranged.conclude)
