"""The report: one HTML page that needs nothing else, for a reader who ran nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.comparison.agreement import LEVEL, NAMES, decimals, ends, pair_of
from tasks.comparison.cells import CONFOUNDED, basis, cell, written
from tasks.comparison.columns import Column, columns, split_group, words
from tasks.comparison.comparison import SPENT, Comparison, Difference
from tasks.comparison.continuations import LONGEST, Continuations
from tasks.comparison.drawing import Plot
from tasks.comparison.frontier import BLIND_AUC
from tasks.comparison.glossary import glossary
from tasks.comparison.groups import group_tables
from tasks.comparison.guarantees import guarantee_notes
from tasks.comparison.heatmap import CORRELATIONS
from tasks.comparison.history import LIFETIME
from tasks.comparison.naming import named
from tasks.comparison.nightly import NIGHTS
from tasks.comparison.numbers import number, p_value, signed, with_interval
from tasks.comparison.pareto import pareto

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = "report.html.jinja"
PRIVACY, ATTACKS = "privacy", "privacy: what attacks find"
MOST_ANSWERS = 6
"""Sentences on the agreement of metrics that stand in the answer; all of them stand in their own section."""
FAMILIES = ("utility", "fairness", PRIVACY, ATTACKS)
"""The order of the tables; others follow."""


def report(comparison: Comparison, drawn: Sequence[Plot], written: Sequence[Continuations] = ()) -> str:
    """The page with its plots, and with what models wrote where that is kept."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(cell=cell, difference=_difference, status=_status, CONFOUNDED=CONFOUNDED, LEVEL=LEVEL, MOST_ANSWERS=MOST_ANSWERS)
    environment.globals.update(
        METHODS=NAMES,
        decimals=decimals,
        ends=ends,
        pair_of=pair_of,
        with_interval=with_interval,
        number=number,
        words=words,
        LONGEST_TEXT=LONGEST,
        LIFETIME=LIFETIME,
    )
    environment.filters["p"] = _p
    environment.filters["breakable"] = _breakable
    found = columns(comparison)
    front = pareto(comparison, found)
    values: dict[str, Any] = {
        "comparison": comparison,
        "basis": basis(comparison),
        "tables": _families(found),
        "groups": group_tables(comparison, found),
        "guarantee_notes": guarantee_notes(comparison),
        "answers": [(answer.verdict.capitalize(), answer.sentence.partition(": ")[2], answer) for answer in comparison.claims],
        "front": front,
        "name_width": _name_width(comparison),
        "differences": [found for found in comparison.differences if _worth_a_line(found.metric)],
        "plots": [plot for plot in drawn if not plot.section],
        "matrices": [plot for plot in drawn if plot.section == CORRELATIONS],
        "night_plots": [plot for plot in drawn if plot.section == NIGHTS],
        "letters": {letter: arm for arm, letter in named(comparison).items() if letter != arm},
        "glossary": glossary(comparison, front),
        "notes": _notes(comparison),
        "marked": any(column.mark for column in found),
        "conditions": _conditions(comparison, found),
        "failed": [trial for trial in comparison.trials if trial.status == "failed"],
        "summary": _summary(comparison, found),
        "continuations": written,
    }
    return environment.get_template(TEMPLATE).render(values)


def _difference(found: Difference) -> str:
    """A difference with its sign and interval."""
    interval = "" if found.low is None else f" [{number(found.low)}, {number(found.high)}]"
    return f"{signed(found.value)}{interval}"


def _status(found: Difference) -> str:
    """How far a difference may be read; why it is confounded is said once, with the tables."""
    before, confounded, _ = (found.reason or "").partition(f"{CONFOUNDED.strip(' ()')}: ")
    status = "" if found.status == "ok" and confounded else found.status
    return ", ".join(part for part in (status, before.rstrip("; "), "confounded" if confounded else "") if part)


def _p(p: float | None) -> str:
    """A p in a cell of its own: ``0.013``, ``< 0.001``, ``-``."""
    return "-" if p is None else p_value(p).removeprefix("= ")


def _worth_a_line(metric: str) -> bool:
    """Whether arms are better or worse by a metric: not by what they spent, nor by what an attack reaches without the model."""
    return not metric.startswith("cost/") and metric not in SPENT and not split_group(metric)[1] and not metric.endswith(BLIND_AUC)


def _breakable(name: str) -> Markup:
    """A name that may be broken between the parts of its grid point."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([\[,])", r"\1<wbr>", str(escape(name))))  # noqa: S704


def _name_width(comparison: Comparison) -> float:
    """Width of a column of arms in rem, in which the longest part of a name stands whole."""
    longest = max((len(part) for arm in comparison.arms for part in re.split(r"[\[,]", arm)), default=0)
    return min(20.0, max(9.0, 0.6 * longest))


def _notes(comparison: Comparison) -> list[str]:
    """What must be known of single numbers: why there is none, or under what doubt it stands. Arms of which the same is said share a line."""
    said: dict[tuple[str, str], list[str]] = {}
    for arm, values in comparison.arms.items():
        for metric, value in values.items():
            if value.reason:
                status = "" if value.status == "ok" else f"{value.status.replace('_', ' ')}: "
                said.setdefault((arm, f"{status}{value.reason}"), []).append(metric)
    arms: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (arm, reason), metrics in said.items():
        arms.setdefault((reason, tuple(metrics)), []).append(arm)
    return [f"{_together(found, comparison)}: {reason} ({', '.join(metrics)})" for (reason, metrics), found in arms.items()]


def _together(arms: Sequence[str], comparison: Comparison) -> str:
    return "all arms" if len(arms) == len(comparison.arms) > 1 else ", ".join(arms)


def _families(found: list[Column]) -> dict[str, list[Column]]:
    """The columns of each table, single groups left out. Privacy has one always: each arm's guarantee stands in it, beside what was spent."""
    tables: dict[str, list[Column]] = {family: [] for family in FAMILIES}
    for column in found:
        if not column.group:
            attack = column.prefix == PRIVACY and column.metric not in SPENT
            tables.setdefault(ATTACKS if attack else column.prefix, []).append(column)
    return {family: mine for family, mine in tables.items() if mine or family == PRIVACY}


@dataclass(frozen=True)
class _Conditions:
    """What all numbers of a column share, for one line of the table of conditions."""

    name: str
    better: str
    conditions: tuple[tuple[str, str], ...]
    records: int | None
    measured: bool


def _conditions(comparison: Comparison, found: list[Column]) -> list[_Conditions]:
    """One line per column, and one for all groups of a metric that were measured alike."""
    lines: list[_Conditions] = []
    for column in found:
        values = list(column.measured(comparison).values())
        group = split_group(column.metric)[1]
        sizes = {value.records for value in values}
        line = _Conditions(
            name=f"{column.metric[: -len(group)]}…" if group else column.name,
            better=values[0].direction if values else "",
            conditions=tuple(column.conditions.items()),
            records=None if group or len(sizes) != 1 else sizes.pop(),
            measured=bool(values),
        )
        lines += [line] if line not in lines else []
    return lines


def _summary(comparison: Comparison, found: list[Column]) -> list[str]:
    """What the numbers say where no claim was made: the best arms of each metric that says how an arm did."""
    said = []
    for column in found:
        values = column.measured(comparison)
        direction = next((value.direction for value in values.values()), "none")
        if not _worth_a_line(column.metric) or direction == "none" or len(values) < 2:
            continue
        numbers = {arm: float(value.value or 0.0) for arm, value in values.items()}
        highest = max(numbers.values()) if direction == "higher" else min(numbers.values())
        best = [arm for arm, value in numbers.items() if value == highest]
        words = "all arms have the same number" if len(best) == len(values) else f"{' and '.join(best)} {'has' if len(best) == 1 else 'have'} the best number"
        said.append(f"{column.name}: {words}, {written(column.metric, values[best[0]])}.")
    return said
