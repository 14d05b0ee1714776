"""Fan-out: the missing nodes of a graph as Prefect tasks, one future per key, inputs before what needs them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect.futures import PrefectConcurrentFuture

from pipelines.pool import Pool, died
from specs.errors import one_line
from tasks.core.errors import UserError
from tasks.core.graph import Call, Node

TICK = 0.1
PAUSE = 0.02
MOST_DEATHS = 3
"""Tries of a step whose process dies. After its first death a step runs alone, so that it is known which one kills."""


@dataclass(frozen=True)
class Failed:
    """A node that was not made, with the one line a person needs; ``root`` where it failed itself and not for want of an input."""

    node: Node
    reason: str
    root: bool


@dataclass
class Fanout:
    """Makes nodes on a pool.

    A node is submitted when what it stands on is done, and no more than ``slots`` are under way: a pool that is handed waiting
    work holds a place for it, and one that is handed everything at once ends all trials at the very end. Of the nodes that
    could be made, the first in the given order goes first, so trials end one after another.

    The death of a process is no fault of the study: the pool is renewed and what was under way goes on from its checkpoints.

    Args:
        pool: where nodes run.
        call: a node as it travels to the process that runs it.
        made: told each node as it is done.
        tick: told the nodes under way, about ten times a second.
        slots: nodes under way at once.
        futures: what was submitted so far, by key; shared by fan-outs of one study, so that the graph of the flow run has every edge.
    """

    pool: Pool
    call: Callable[[Node], Call]
    made: Callable[[Node], None]
    tick: Callable[[Sequence[Node]], None]
    slots: int
    futures: dict[str, PrefectConcurrentFuture[Any]] = field(default_factory=dict)
    _ticked: float = 0.0
    _deaths: Counter[str] = field(default_factory=Counter)

    def make(self, nodes: Sequence[Node], lost: Sequence[Failed] = ()) -> list[Failed]:
        """Make some nodes, inputs first; returns those that failed. ``lost`` failed before. What stands on a failed node is
        reported as failed too; the rest goes on.
        """
        waiting = {node.key: node for node in nodes}
        under_way: list[str] = []
        failed: list[Failed] = []
        while waiting:
            if lost or failed:
                failed += self._give_up(waiting, [*lost, *failed])
            self._submit(waiting, under_way)
            self._bury(under_way)
            for key in [key for key in under_way if self.futures[key].wrapped_future.done()]:
                under_way.remove(key)
                node = waiting.pop(key)
                reason = _reason(self.futures[key])
                if reason is None:
                    self.made(node)
                else:
                    failed.append(Failed(node, reason, root=True))
            self._tick([waiting[key] for key in under_way])
        return failed

    def _submit(self, waiting: Mapping[str, Node], under_way: list[str]) -> None:
        suspects = [waiting[key] for key, deaths in self._deaths.items() if deaths and key in waiting]
        free = (1 if suspects else self.slots) - len(under_way)
        if free <= 0:
            return
        for node in suspects or waiting.values():
            inputs = [needed.key for needed in node.inputs.values()]
            if node.key in self.futures or any(key in waiting for key in inputs):
                continue
            self.futures[node.key] = self.pool.submit(self.call(node), [self.futures[key] for key in inputs if key in self.futures])
            under_way.append(node.key)
            free -= 1
            if free <= 0:
                return

    def _bury(self, under_way: list[str]) -> None:
        """Where a process died, take back what its pool had under way; a step that has died often enough stays, and fails."""
        if not any(died(self.futures[key]) for key in under_way):
            return
        _settle([self.futures[key] for key in under_way])
        self.pool.renew()
        for key in list(under_way):
            if died(self.futures[key]):
                self._deaths[key] += 1
                if self._deaths[key] < MOST_DEATHS:
                    del self.futures[key]
                    under_way.remove(key)

    @staticmethod
    def _give_up(waiting: dict[str, Node], failed: Sequence[Failed]) -> list[Failed]:
        """Take out what stands on a failed node, however far."""
        given_up: list[Failed] = []
        for node in list(waiting.values()):
            cause = _cause(node, [*failed, *given_up])
            if cause is not None:
                del waiting[node.key]
                given_up.append(Failed(node, cause.reason, root=False))
        return given_up

    def _tick(self, running: Sequence[Node]) -> None:
        if time.monotonic() - self._ticked > TICK:
            self._ticked = time.monotonic()
            self.tick(running)
        time.sleep(PAUSE)


def _cause(node: Node, failed: Sequence[Failed]) -> Failed | None:
    """The failed input for want of which a node cannot be made."""
    inputs = {needed.key for needed in node.inputs.values()}
    return next((other for other in failed if other.node.key in inputs), None)


def _settle(futures: Sequence[PrefectConcurrentFuture[Any]]) -> None:
    """Wait until all work of a broken pool has an end: the pool ends every process that is left."""
    while not all(future.wrapped_future.done() for future in futures):
        time.sleep(PAUSE)


def _reason(future: PrefectConcurrentFuture[Any]) -> str | None:
    """Why a finished future has no result, in one line; None where it has one."""
    if died(future):
        return f"the process that ran it ended {MOST_DEATHS} times (out of memory?); run the study again to go on from its checkpoint"
    future.wait(timeout=0)
    state = future.state
    if state.is_completed():
        return None
    raised = state.result(raise_on_failure=False) if state.is_failed() or state.is_crashed() else None
    if isinstance(raised, UserError):
        return one_line(str(raised))
    return one_line(f"{type(raised).__name__}: {raised}" if isinstance(raised, BaseException) else str(state.message or state.name))
