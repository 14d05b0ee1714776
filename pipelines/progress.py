"""What a person sees while a study runs: trials done, what each process works on, and the time left."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipelines.timeleft import TimeLeft
from tasks.core.graph import Node
from tasks.core.store import Store
from tasks.runtime.execution import progress as unfinished_progress

LINE_EVERY = 10.0
ESTIMATE_EVERY = 1.0
"""Seconds: an estimate looks at every step that is left, of which a large study has thousands."""


@dataclass(frozen=True)
class Working:
    """A step under way that has said how far it is; ``share`` lies between 0 and 1."""

    node: Node
    share: float
    note: str


@dataclass(frozen=True)
class Standing:
    """How far a study is: steps done, steps under way, seconds left where they can be told."""

    done: int
    total: int
    working: tuple[Working, ...]
    left: float | None

    @property
    def percent(self) -> float:
        """Of all steps, with the parts of those under way."""
        return 100 * (self.done + sum(step.share for step in self.working)) / max(1, self.total)

    def __str__(self) -> str:
        now = ", ".join(f"{step.node.label} {step.share:.0%}" for step in self.working)
        return "; ".join(part for part in (f"{self.done} of {self.total} steps", now, clock(self.left)) if part)


class Display(Protocol):
    """Where progress is shown."""

    def live(self) -> AbstractContextManager[object]:
        """Progress is shown while inside."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def tick(self, standing: Standing) -> None:
        """How far the work is; told about ten times a second."""


@dataclass
class Tracker:
    """Knows how far a study is and tells a display.

    Args:
        store: where unfinished steps say how far they are.
        left: estimates the time.
        nodes: every step of the study.
        display: where it is shown.
    """

    store: Store
    left: TimeLeft
    nodes: Sequence[Node]
    display: Display
    _made: set[str] = field(default_factory=set)
    _left: float | None = None
    _estimated: float = -math.inf

    def made(self, node: Node) -> None:
        """A node is done."""
        self._made.add(node.key)
        self.left.ended(node)

    def tick(self, done: int, running: Sequence[Node]) -> None:
        """Some steps are done, some under way."""
        states = [(node, unfinished_progress(self.store, node.key)) for node in running]
        working = tuple(Working(node, _share(state), str(state.get("note", ""))) for node, state in states if state)
        if time.monotonic() - self._estimated > ESTIMATE_EVERY:
            self._estimated = time.monotonic()
            missing = [node for node in self.nodes if node.key not in self._made]
            self._left = self.left.estimate(missing, {step.node.key: step.share for step in working})
        self.display.tick(Standing(done, len(self.nodes), working, self._left))


def _share(state: dict[str, object]) -> float:
    return float(str(state["done"])) / max(float(str(state["total"])), 1e-9)


class Several:
    """Progress in several places at once."""

    def __init__(self, *displays: Display) -> None:
        self._displays = displays

    @contextmanager
    def live(self) -> Iterator[Several]:
        """In all of them."""
        with ExitStack() as stack:
            for display in self._displays:
                stack.enter_context(display.live())
            yield self

    def say(self, text: str) -> None:
        """In all of them."""
        for display in self._displays:
            display.say(text)

    def tick(self, standing: Standing) -> None:
        """In all of them."""
        for display in self._displays:
            display.tick(standing)


class Terminal:
    """Live bars on a terminal; a line every ten seconds elsewhere (a log file, CI)."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        self._overall: TaskID | None = None
        self._last_line = time.monotonic()

    @contextmanager
    def live(self) -> Iterator[Terminal]:
        """The bars stand while inside."""
        if not self._console.is_terminal or self._console.quiet:
            yield self
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        )
        with Progress(*columns, console=self._console, transient=True) as self._progress:
            self._overall = self._progress.add_task("steps", total=None, left="")
            yield self
        self._progress = None

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def tick(self, standing: Standing) -> None:
        """Move the bars, or say a line."""
        if self._progress is None or self._overall is None:
            self._line(standing)
            return
        self._progress.update(self._overall, completed=standing.done, total=standing.total, left=clock(standing.left))
        working = {step.node.key: step for step in standing.working}
        for key in [key for key in self._bars if key not in working]:
            self._progress.remove_task(self._bars.pop(key))
        for key, step in working.items():
            if key not in self._bars:
                self._bars[key] = self._progress.add_task(f"  {step.node.label}", total=100, left="")
            self._progress.update(self._bars[key], completed=int(100 * step.share), left=step.note)

    def _line(self, standing: Standing) -> None:
        if time.monotonic() - self._last_line < LINE_EVERY:
            return
        self._last_line = time.monotonic()
        self._console.print(str(standing), soft_wrap=True, markup=False)
        sys.stderr.flush()


def clock(seconds: float | None) -> str:
    """A duration that is left, in words; empty where it is unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    return f"about {whole // 60} min {whole % 60:02d} s left" if whole >= 60 else f"about {whole} s left"
