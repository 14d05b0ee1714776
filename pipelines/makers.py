"""What makes the missing work of a study: the processes of this machine, or flow runs that workers pick up (`execution.runner`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from pipelines.fanout import Failed
from pipelines.planning import PlannedTrial
from pipelines.pool import Pool
from specs.schemas.study import Study
from tasks.core.graph import Node
from tasks.core.store import Store
from tasks.runtime.devices import pool_size


@dataclass(frozen=True)
class Given:
    """A trial that is sent away to be made.

    Args:
        planned: the trial.
        run: its MLflow run.
        parent: the MLflow run of its study.
        missing: the nodes it lacks, inputs first.
        store: where its artifacts shall be.
        submission: the submission of a study with secret randomness.
    """

    planned: PlannedTrial
    run: str
    parent: str
    missing: Sequence[Node]
    store: Store
    submission: str | None


class Dispatch(Protocol):
    """Makes whole trials elsewhere."""

    def make(self, trials: Sequence[Given], ended: Callable[[Given], None], tick: Callable[[Sequence[Node]], None]) -> list[Failed]:
        """Make trials; ``ended`` is told each one that is back. Returns what failed."""


@dataclass(frozen=True)
class Makers:
    """A pool for steps and, where trials are made elsewhere, what sends them there.

    Args:
        pool: runs steps: all of them, or only those that prepare data.
        processes: how many work side by side.
        dispatch: None where the pool makes everything.
    """

    pool: Pool
    processes: int
    dispatch: Dispatch | None = None

    @property
    def slots(self) -> int:
        """Steps under way at once: one more than there are processes, so that none waits."""
        return self.processes + 1

    @classmethod
    def of(cls, study: Study) -> Makers:
        """What the study's ``execution`` names."""
        execution = study.execution
        size = pool_size(execution.processes, execution.device, execution.processes_per_training)
        if execution.runner == "processes":
            return cls(Pool.of_processes(size), size)
        from pipelines.dispatching import FlowRuns

        return cls(Pool.of_processes(size), size, FlowRuns(study.kind, study.name))

    def __enter__(self) -> Self:
        self.pool.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pool.__exit__(kind, error, trace)
