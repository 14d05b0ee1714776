"""The report: one HTML page that needs nothing else, for a reader who ran nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.comparison import plots
from tasks.comparison.columns import Column, columns
from tasks.comparison.comparison import Comparison, Difference, Value
from tasks.comparison.numbers import number, signed
from tasks.comparison.terminal import basis, cell

TEMPLATE = "report.html.jinja"
MOST_DOT_PLOTS = 6


@dataclass(frozen=True)
class Plot:
    """A drawing and what it shows, in words."""

    caption: str
    svg: str


def report(comparison: Comparison) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(cell=cell, difference=_difference)
    found = columns(comparison)
    values: dict[str, Any] = {
        "comparison": comparison,
        "basis": basis(comparison),
        "columns": found,
        "tables": _by_prefix(found),
        "answers": [(answer.verdict.capitalize(), answer.sentence.partition(": ")[2], answer) for answer in comparison.claims],
        "plots": _plots(comparison, found),
        "notes": _notes(comparison),
        "marked": any(column.mark for column in found),
        "conditions": [(column, _first(comparison, column)) for column in found],
        "failed": [trial for trial in comparison.trials if trial.status == "failed"],
        "summary": _summary(comparison, found),
    }
    return environment.get_template(TEMPLATE).render(values)


def _difference(found: Difference) -> str:
    """A difference with its sign and interval."""
    interval = "" if found.low is None else f" [{number(found.low)}, {number(found.high)}]"
    return f"{signed(found.value)}{interval}"


def _notes(comparison: Comparison) -> dict[str, list[str]]:
    """What must be known of single numbers: why there is none, or under what doubt it stands. By arm and reason, with the metrics."""
    said: dict[str, list[str]] = {}
    for arm, values in comparison.arms.items():
        for metric, value in values.items():
            if value.reason:
                status = "" if value.status == "ok" else f"{value.status.replace('_', ' ')}: "
                said.setdefault(f"{arm}: {status}{value.reason}", []).append(metric)
    return said


def _by_prefix(found: list[Column]) -> dict[str, list[Column]]:
    tables: dict[str, list[Column]] = {}
    for column in found:
        tables.setdefault(column.prefix, []).append(column)
    return tables


def _first(comparison: Comparison, column: Column) -> Value | None:
    """A number of the column, for what all of them share."""
    values = (column.value(comparison, arm) for arm in comparison.arms)
    return next((value for value in values if value is not None and value.value is not None), None)


def _plots(comparison: Comparison, found: list[Column]) -> list[Plot]:
    """Every measured metric but the costs as dots, then utility against what it costs."""
    measured = [column for column in found if column.prefix != "cost" and _first(comparison, column) is not None]
    made = [Plot(f"{column.name} by arm", plots.dots(comparison, column)) for column in measured[:MOST_DOT_PLOTS]]
    leading = next((column for column in measured if column.prefix == "utility"), None)
    seconds = next((column for column in found if column.metric == "cost/train_seconds" and _first(comparison, column) is not None), None)
    if leading is not None and seconds is not None and len(comparison.arms) > 1:
        made.append(Plot(f"{leading.name} against {seconds.name}", plots.against(comparison, seconds, leading)))
    return made


def _summary(comparison: Comparison, found: list[Column]) -> list[str]:
    """What the numbers say where no claim was made: the best arm of each utility and fairness metric."""
    said = []
    for column in found:
        values = {arm: value for arm in comparison.arms if (value := column.value(comparison, arm)) is not None and value.value is not None}
        direction = next((value.direction for value in values.values()), "none")
        if column.prefix == "cost" or direction == "none" or len(values) < 2:
            continue
        sign = 1 if direction == "higher" else -1
        best = max(values, key=lambda arm: sign * float(values[arm].value or 0.0))
        said.append(f"{column.name}: {best} has the best number, {cell(values[best])}.")
    return said
