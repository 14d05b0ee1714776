"""Fan-out: the missing nodes of a graph as Prefect tasks, one future per key, inputs before what needs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.futures import PrefectConcurrentFuture

from specs.errors import one_line
from tasks.core.errors import UserError
from tasks.core.graph import Call, Node
from tasks.runtime.steps import submit

TICK = 0.1


@dataclass(frozen=True)
class Failed:
    """A node that was not made, with the one line a person needs; ``root`` where it failed itself and not for want of an input."""

    node: Node
    reason: str
    root: bool


def make(
    nodes: Sequence[Node],
    lost: Sequence[Failed],
    call: Callable[[Node], Call],
    made: Callable[[Node], None],
    tick: Callable[[Sequence[Node]], None],
) -> list[Failed]:
    """Make some nodes on the running flow's task runner; returns those that failed.

    ``lost`` are nodes that failed before. ``made`` is told each node as it is done, ``tick`` the nodes that are not done yet,
    about ten times a second. A node whose input failed is reported as failed too; the rest goes on.
    """
    futures: dict[str, PrefectConcurrentFuture[Any]] = {}
    failed: list[Failed] = []
    for node in nodes:
        cause = _cause(node, [*lost, *failed])
        if cause is not None:
            failed.append(Failed(node, cause.reason, root=False))
            continue
        after = [futures[needed.key] for needed in node.inputs.values() if needed.key in futures]
        futures[node.key] = submit(call(node), after)
    waiting = {node.key: node for node in nodes if node.key in futures}
    while waiting:
        time.sleep(TICK)
        for key in [key for key in waiting if futures[key].wrapped_future.done()]:
            node = waiting.pop(key)
            reason = _reason(futures[key])
            if reason is None:
                made(node)
                continue
            cause = _cause(node, failed)
            failed.append(Failed(node, reason, root=True) if cause is None else Failed(node, cause.reason, root=False))
        tick(list(waiting.values()))
    return failed


def _cause(node: Node, failed: Sequence[Failed]) -> Failed | None:
    """The failed input for want of which a node cannot be made."""
    inputs = {needed.key for needed in node.inputs.values()}
    return next((other for other in failed if other.node.key in inputs), None)


def _reason(future: PrefectConcurrentFuture[Any]) -> str | None:
    """Why a finished future has no result, in one line; None where it has one."""
    try:
        future.wait(timeout=0)
    except Exception as error:  # the process itself died
        return f"the process that ran it ended ({type(error).__name__}); run the study again to go on from its checkpoint"
    state = future.state
    if state.is_completed():
        return None
    raised = state.result(raise_on_failure=False) if state.is_failed() or state.is_crashed() else None
    if isinstance(raised, UserError):
        return one_line(str(raised))
    return one_line(f"{type(raised).__name__}: {raised}" if isinstance(raised, BaseException) else str(state.message or state.name))
