"""What stands in the cells of a table, on a terminal and in the report."""

from __future__ import annotations

from tasks.comparison.columns import Column
from tasks.comparison.comparison import DELTA, EPSILON, EVALUATION, SPENT, Comparison, Value
from tasks.comparison.numbers import with_interval
from tasks.privacy.account import rounded_up

CONFOUNDED = " (confounded)"
"""The mark behind a number that something else than what it is named for may have made."""


def cell(comparison: Comparison, column: Column, arm: str, interval: bool = True) -> str:
    """An arm's number with its interval, or why there is none; ``none`` where nothing was spent on privacy, empty where nothing was measured."""
    value = column.value(comparison, arm)
    if value is None:
        return "none" if column.metric in SPENT and without_privacy(comparison, arm) else ""
    return written(column.metric, value if interval else value.model_copy(update={"low": None, "high": None}))


def written(metric: str, value: Value) -> str:
    """A number with its interval. What was spent is rounded up, as it is guaranteed: a bound that is rounded down is not true."""
    if value.value is None:
        return value.status.replace("_", " ")
    if metric in (EPSILON, EVALUATION, DELTA):
        return rounded_up(value.value)
    mark = CONFOUNDED if value.status == "confounded" else ""
    return with_interval(value.value, value.low, value.high) + mark


def without_privacy(comparison: Comparison, arm: str) -> bool:
    """Whether an arm was measured, and spent nothing on privacy."""
    return bool(comparison.arms[arm]) and EPSILON not in comparison.arms[arm]


def basis(comparison: Comparison) -> str:
    """What the intervals of the tables are over."""
    kinds = {value.interval for values in comparison.arms.values() for value in values.values() if value.interval}
    words = []
    if "runs" in kinds:
        seeds = sorted({value.n or 0 for values in comparison.arms.values() for value in values.values() if value.interval == "runs"})
        words.append(f"[low, high]: 95% t interval over {seeds[0] if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'} seeds")
    if "items" in kinds:
        words.append("[low, high]: 95% bootstrap interval over test records of the one seed")
    return "; ".join(words) or "no intervals"
