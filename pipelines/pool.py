"""The workers that steps run on: a Prefect task runner that is renewed when one of its processes dies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self

import psutil
from prefect.futures import PrefectConcurrentFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from tasks.core.graph import Call
from tasks.runtime.execution import POOLED
from tasks.runtime.steps import submit


class Pool:
    """Runs steps side by side. One dead process breaks all that its pool has under way: ``renew`` makes another pool.

    Args:
        runner: the task runner that is begun when the pool is first used.
    """

    def __init__(self, runner: TaskRunner[Any]) -> None:
        self._runner = runner
        self._begun = False

    @classmethod
    def of_processes(cls, size: int) -> Pool:
        """Processes of this machine."""
        return cls(ProcessPoolTaskRunner(max_workers=size))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            _end_processes()
        self._close()

    def submit(self, call: Call, after: Iterable[PrefectConcurrentFuture[Any]]) -> PrefectConcurrentFuture[bool]:
        """A step to be run once the work it stands on is done."""
        if not self._begun:
            self._runner.__enter__()
            self._begun = True
        return submit(self._runner, call, after)

    def renew(self) -> None:
        """A fresh pool in place of a broken one."""
        self._close()
        self._runner = self._runner.duplicate()

    def _close(self) -> None:
        if self._begun:
            self._begun = False
            self._runner.__exit__(None, None, None)


def died(future: PrefectConcurrentFuture[Any]) -> bool:
    """Whether a finished future has no result because the process that ran it, or one beside it, ended."""
    ended = future.wrapped_future
    return ended.done() and isinstance(ended.exception(timeout=0), BrokenProcessPool)


def _end_processes() -> None:
    """End the pool's processes at once: a study that was stopped does not wait for steps; they go on from their checkpoints."""
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if POOLED in child.cmdline():
                child.kill()
        except psutil.Error:
            continue
