"""What a person sees while a study runs: trials done, what each process works on, and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipelines.timeleft import TimeLeft
from tasks.core.graph import Node
from tasks.core.store import Store
from tasks.runtime.execution import progress as unfinished_progress

LINE_EVERY = 10.0


class Terminal:
    """Live bars on a terminal; a line every ten seconds elsewhere (a log file, CI)."""

    def __init__(self, store: Store, left: TimeLeft, nodes: Sequence[Node], quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self._store, self._left, self._nodes = store, left, nodes
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        self._overall: TaskID | None = None
        self._last_line = time.monotonic()
        self._made: set[str] = set()

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
            self._overall = self._progress.add_task("steps", total=len(self._nodes), left="")
            yield self
        self._progress = None

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def made(self, node: Node) -> None:
        """A node is done."""
        self._made.add(node.key)
        self._left.ended(node)
        bar = self._bars.pop(node.key, None)
        if self._progress is not None and bar is not None:
            self._progress.remove_task(bar)

    def tick(self, done: int, total: int, running: Sequence[Node]) -> None:
        """How far the work is."""
        states = {node.key: unfinished_progress(self._store, node.key) for node in running}
        shares = {key: float(str(state["done"])) / max(float(str(state["total"])), 1e-9) for key, state in states.items() if state}
        missing = [node for node in self._nodes if node.key not in self._made]
        left = self._left.estimate(missing, shares)
        if self._progress is None or self._overall is None:
            self._line(done, total, running, shares, left)
            return
        self._progress.update(self._overall, completed=done, total=total, left=_clock(left))
        for node in running:
            share = shares.get(node.key)
            if share is None:
                continue
            if node.key not in self._bars:
                self._bars[node.key] = self._progress.add_task(f"  {node.label}", total=100, left="")
            note = str((states[node.key] or {}).get("note", ""))
            self._progress.update(self._bars[node.key], completed=int(100 * share), left=note)

    def _line(self, done: int, total: int, running: Sequence[Node], shares: Mapping[str, float], left: float | None) -> None:
        if time.monotonic() - self._last_line < LINE_EVERY:
            return
        self._last_line = time.monotonic()
        now = ", ".join(f"{node.label} {share:.0%}" for node in running if (share := shares.get(node.key)) is not None)
        self._console.print("; ".join(part for part in (f"{done} of {total} steps", now, _clock(left)) if part), soft_wrap=True, markup=False)
        sys.stderr.flush()


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = round(seconds)
    return f"about {whole // 60} min {whole % 60:02d} s left" if whole >= 60 else f"about {whole} s left"
