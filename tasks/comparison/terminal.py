"""The comparison on a terminal: one table per family of metrics, then claims, gates and labels."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tasks.comparison.columns import Column, columns
from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.numbers import with_interval

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"holds": "green", "contradicted": "red", "not shown": "yellow", "descriptive": "yellow", "unanswered": "yellow"}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print it."""
    console.print(f"\n{comparison.study}" + (f": {comparison.question}" if comparison.question else ""), style="bold", markup=False)
    for prefix, found in groupby(columns(comparison), key=lambda column: column.prefix):
        _table(comparison, prefix, list(found), console)
    console.print(basis(comparison), style="dim", markup=False)
    if len(comparison.arms) > 1:
        console.print(f"baseline: {comparison.baseline}", style="dim", markup=False)
    for arm, guarantee in comparison.guarantees.items():
        if guarantee != "none":
            console.print(f"guarantee of {arm}: {guarantee}", markup=False)
    if all(guarantee == "none" for guarantee in comparison.guarantees.values()):
        console.print("privacy guarantee: none", style="dim", markup=False)
    for label in comparison.labels:
        console.print(f"label: {label}", style="yellow", markup=False)
    for answer in comparison.claims:
        console.print(f"\nclaim {answer.id}: {answer.says}", markup=False)
        console.print(f"  {answer.sentence}", style=_STYLES[answer.verdict], markup=False)
    for gate in comparison.gates:
        console.print(f"gate: {gate.sentence}", style="green" if gate.passed else "red", markup=False)


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


def cell(value: Value | None) -> str:
    """One number with its interval, or why there is none."""
    if value is None:
        return ""
    if value.value is None:
        return value.status.replace("_", " ")
    mark = " (confounded)" if value.status == "confounded" else ""
    return with_interval(value.value, value.low, value.high) + mark


def _mean(value: Value | None) -> str:
    """A cost in short: its interval stands in the report."""
    return cell(value if value is None else value.model_copy(update={"low": None, "high": None}))


def _table(comparison: Comparison, prefix: str, found: list[Column], console: Console) -> None:
    """Names are given as texts: in a plain string ``[x=1]`` of a grid point would be read as markup and vanish."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=prefix, title_justify="left", title_style="dim")
    table.add_column("arm", overflow="fold")
    for column in found:
        table.add_column(Text(column.title), justify="right", overflow="fold")
    for arm in comparison.arms:
        shown = _mean if prefix == "cost" else cell
        table.add_row(Text(arm), *(Text(shown(column.value(comparison, arm))) for column in found))
    console.print(table)
