"""The numbers of all trials by arm, metric and seed; numbers under unlike conditions are never combined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tasks.comparison.conditions import unlike
from tasks.comparison.reasons import merged
from tasks.comparison.results import TrialResult
from tasks.core.measures import Direction, Row


@dataclass(frozen=True)
class Problem:
    """Why numbers cannot be combined."""

    status: Literal["unlike", "unmeasured"]
    reason: str


@dataclass(frozen=True)
class Combined:
    """A signed sum of arms per seed, over the seeds that all of them have; or the problem. ``mark`` says why some number is confounded."""

    values: tuple[float, ...] = ()
    problem: Problem | None = None
    mark: str = ""


def mark(rows: Iterable[Row]) -> str:
    """Why some of the numbers are confounded, in one phrase; empty where none is."""
    reasons = merged(row.reason or "no reason was given" for row in rows if row.status == "confounded")
    return f"confounded: {'; '.join(reasons)}" if reasons else ""


class Table:
    """Rows by arm, metric and seed. A trial that failed leaves its metrics empty."""

    def __init__(self, trials: Sequence[TrialResult]) -> None:
        self._trials = trials

    def metrics(self, arm: str) -> list[str]:
        """The metrics that some trial of an arm has, in order."""
        return list(self._rows.get(arm, {}))

    def rows(self, arm: str, metric: str) -> Mapping[int, Row]:
        """Row by seed."""
        return self._rows.get(arm, {}).get(metric, {})

    def direction(self, metric: str) -> Direction:
        """Which way is better: as rows with a value say, where there are any."""
        rows = [row for metrics in self._rows.values() for row in metrics.get(metric, {}).values()]
        found: list[Direction] = [row.direction for row in sorted(rows, key=lambda row: row.value is None)]
        return found[0] if found else "none"

    def combine(self, arms: Sequence[str], signs: Sequence[int], metric: str) -> Combined:
        """The signed sum of a metric over arms, seed by seed."""
        rows = [self.rows(arm, metric) for arm in arms]
        for arm, found in zip(arms, rows, strict=True):
            if not any(row.value is not None for row in found.values()):
                reason = next((row.reason for row in found.values() if row.reason), "no trial of it has the number")
                return Combined(problem=Problem("unmeasured", f"{arm}: {reason}"))
        differing = unlike([row.conditions for found in rows for row in found.values() if row.value is not None])
        if differing:
            return Combined(problem=Problem("unlike", f"measured under unlike conditions ({', '.join(differing)})"))
        seeds = sorted(set.intersection(*({seed for seed, row in found.items() if row.value is not None} for found in rows)))
        if not seeds:
            return Combined(problem=Problem("unmeasured", "the arms share no seed that has the number"))
        values = tuple(sum(sign * float(found[seed].value or 0.0) for sign, found in zip(signs, rows, strict=True)) for seed in seeds)
        return Combined(values, mark=mark(row for found in rows for row in found.values()))

    @cached_property
    def _rows(self) -> dict[str, dict[str, dict[int, Row]]]:
        found: dict[str, dict[str, dict[int, Row]]] = {}
        for trial in self._trials:
            for row in trial.rows:
                found.setdefault(trial.arm, {}).setdefault(row.name, {})[trial.seed] = row
        for trial in self._trials:
            for metric, rows in found.get(trial.arm, {}).items():
                if trial.seed not in rows:
                    rows[trial.seed] = Row(
                        name=metric, value=None, status="undefined", reason="its trial failed", direction=next(iter(rows.values())).direction
                    )
        return found
