"""The one place where a pure step becomes a Prefect task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.task_runners import TaskRunner
from prefect.utilities.annotations import quote

from tasks.core.graph import Call
from tasks.runtime.execution import execute


@task(persist_result=False, cache_policy=NO_CACHE, log_prints=False)
def step(call: Call) -> bool:
    """Make one artifact. Prefect's own result cache stays off: the store is keyed by content and code."""
    return execute(call)


def submit(runner: TaskRunner[Any], call: Call, after: Iterable[PrefectFuture[Any]]) -> PrefectConcurrentFuture[bool]:
    """Submit a call to a task runner once the work it stands on is done.

    The call is quoted: Prefect would otherwise walk through every field of it in search of futures.
    """
    named: Task[[Any], bool] = step.with_options(name=call.step.name, task_run_name=call.label)
    future = runner.submit(named, {"call": quote(call)}, wait_for=list(after))
    if not isinstance(future, PrefectConcurrentFuture):
        raise TypeError(f"the task runner gives {type(future).__name__}, not futures that can be polled")
    return future
