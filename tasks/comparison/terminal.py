"""The comparison on a terminal: one table per family of metrics, then guarantees, claims, gates and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from tasks.comparison.agreement import NAMES, decimals, ends, pair_of
from tasks.comparison.cells import CONFOUNDED, basis, cell
from tasks.comparison.columns import Column, columns, marks_explained
from tasks.comparison.comparison import DELTA, Comparison
from tasks.comparison.correlation import Cell, Correlations
from tasks.comparison.guarantees import NONE, guarantee_notes
from tasks.comparison.history import LIFETIME, NightLine
from tasks.comparison.numbers import number, p_value
from tasks.comparison.pareto import pareto

if TYPE_CHECKING:
    from rich.console import Console

GAP, LONGEST_WORD = 3, 20
MOST_PAIRS, MOST_NIGHTS, NARROW = 20, 14, 100
"""Pairs of metrics and nights on a terminal, of which the report has all; and the width below which their intervals go below their numbers."""
_STYLES = {"holds": "green", "contradicted": "red", "not shown": "yellow", "descriptive": "yellow", "unanswered": "yellow"} | {
    "promoted": "green",
    "refused": "red",
    "failed": "yellow",
    "skipped": "dim",
}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print it."""
    console.print(f"\n{comparison.study}" + (f": {comparison.question}" if comparison.question else ""), style="bold", markup=False)
    found = columns(comparison)
    shown = _shown(found)
    for prefix, family in groupby(shown, key=lambda column: column.prefix):
        _table(comparison, prefix, list(family), console)
    for explained in marks_explained(shown):
        console.print(explained, style="dim", markup=False)
    console.print(basis(comparison), style="dim", markup=False)
    if len(comparison.arms) > 1:
        console.print(f"baseline: {comparison.baseline}", style="dim", markup=False)
    _print_guarantees(comparison, console)
    if comparison.correlations is not None:
        _print_correlations(comparison.correlations, console)
    front = pareto(comparison, found)
    if front is not None:
        console.print(front.sentence, markup=False)
    for label in comparison.labels:
        console.print(f"label: {label}", style="yellow", markup=False)
    for answer in comparison.claims:
        console.print(f"\nclaim {answer.id}: {answer.says}", markup=False)
        console.print(f"  {answer.sentence}", style=_STYLES[answer.verdict], markup=False)
    for gate in comparison.gates:
        console.print(f"gate: {gate.sentence}", style="green" if gate.passed else "red", markup=False)
    if comparison.nights:
        print_nights(comparison.nights, console)


def print_nights(nights: Sequence[NightLine], console: Console) -> None:
    """The last nights, and what the newest decided."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title="nights", title_justify="left", title_style="dim", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("night", "data", "decision", "lifetime epsilon", "champion", "why"):
        table.add_column(column, justify="right" if column in ("night", "lifetime epsilon") else "left", overflow="fold")
    for night in nights[-MOST_NIGHTS:]:
        spent = number(night.numbers[LIFETIME]) if LIFETIME in night.numbers else "-"
        version = f"version {night.version}" if night.version else "none"
        table.add_row(str(night.number), Text(night.snapshot), Text(night.decision, _STYLES[night.decision]), spent, version, Text("; ".join(night.reasons)))
    console.print(table)
    for note in nights[-1].notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def _shown(found: list[Column]) -> list[Column]:
    """Without delta, which stands in the guarantee, and without single groups, unless fairness has nothing else."""
    told = any(column.prefix == "fairness" and not column.group for column in found)
    return [column for column in found if column.metric != DELTA and (not column.group or (column.prefix == "fairness" and not told))]


def _print_guarantees(comparison: Comparison, console: Console) -> None:
    for arm, guarantee in comparison.guarantees.items():
        if guarantee != NONE:
            console.print(f"guarantee of {arm}: {guarantee}", markup=False)
    if all(guarantee == NONE for guarantee in comparison.guarantees.values()):
        console.print("privacy guarantee: none", style="dim", markup=False)
    for note in guarantee_notes(comparison):
        console.print(note, markup=False)


def _print_correlations(found: Correlations, console: Console) -> None:
    """The first method's coefficients, the surest first, then what may be concluded."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    leading = sorted(found.leading(), key=lambda cell: (cell.p is None, cell.p))
    if leading:
        narrow = console.width < NARROW
        title = f"{NAMES[found.methods[0]]} over models"
        table = Table(title=title, title_justify="left", title_style="dim", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("metrics")
        names = ("coefficient", "corrected p", "says") if narrow else ("coefficient", "p", "corrected p", "models", "says")
        for name in names:
            table.add_column(name, justify="left" if name == "says" else "right", no_wrap=not narrow or name == "coefficient")
        for cell in leading[:MOST_PAIRS]:
            said = _said(cell, "\n" if narrow else " ")
            table.add_row(*(Text(said[name]) for name in ("metrics", *names)))
        console.print(table)
        if len(leading) > MOST_PAIRS:
            more = len(leading) - MOST_PAIRS
            console.print(f"and {more} pair{'s' if more > 1 else ''} more, in the report", style="dim", markup=False)
    console.print(found.power, style="dim", markup=False)
    for sentence in found.concluded:
        console.print(f"concluded: {sentence}", markup=False)
    if not found.concluded:
        console.print("concluded: nothing; the report says what cannot be, and why", markup=False)


def _said(cell: Cell, between: str) -> dict[str, str]:
    """What stands in each column of the table of correlations."""
    number = cell.status.replace("_", " ") if cell.value is None else f"{decimals(cell.value)}{between}{ends(cell.low, cell.high)}"
    p, corrected = ("-" if p is None else p_value(p).removeprefix("= ") for p in (cell.p, cell.p_adjusted))
    return {"metrics": pair_of(cell), "coefficient": number, "p": p, "corrected p": corrected, "models": str(cell.n), "says": cell.verdict}


def _table(comparison: Comparison, prefix: str, found: list[Column], console: Console) -> None:
    """One table, or several where the columns do not fit side by side; intervals go below their numbers before that. Those of costs are left out."""
    cells = [[cell(comparison, column, arm, interval=prefix != "cost") for arm in comparison.arms] for column in found]
    room = console.width - min(_longest(comparison.arms), console.width // 3)
    if sum(_width(column, texts) + GAP for column, texts in zip(found, cells, strict=True)) > room:
        cells = [[text.replace(" [", "\n[").replace(CONFOUNDED, CONFOUNDED.replace(" ", "\n")) for text in texts] for texts in cells]
    columns_left = list(zip(found, cells, strict=True))
    while columns_left:
        taken, used = 0, 0
        while taken < len(columns_left) and (not taken or used + _width(*columns_left[taken]) + GAP <= room):
            used += _width(*columns_left[taken]) + GAP
            taken += 1
        _print_table(list(comparison.arms), prefix, columns_left[:taken], console)
        columns_left = columns_left[taken:]


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, ("arm", *texts)))


def _width(column: Column, texts: list[str]) -> int:
    """Characters that a column needs; its title may break at blanks, and a very long word of it anywhere."""
    words = (min(len(word), LONGEST_WORD) for word in column.title.split())
    return max(*words, *(len(line) for text in texts for line in text.split("\n")), 1)


def _widths(arms: list[str], found: list[tuple[Column, list[str]]], room: int) -> list[int]:
    """Characters for the names and for each column: what they need, and what is left over for names and titles that would break, in this order."""
    names = min(_longest(arms), room // 3)
    least = [names, *(_width(column, texts) for column, texts in found)]
    wished = [_longest(arms), *(max(width, len(column.title)) for width, (column, _) in zip(least[1:], found, strict=True))]
    left = room - sum(least) - GAP * len(found)
    widths = []
    for width, wish in zip(least, wished, strict=True):
        more = max(0, min(wish - width, left))
        widths.append(width + more)
        left -= more
    return widths


def _print_table(arms: list[str], title: str, found: list[tuple[Column, list[str]]], console: Console) -> None:
    """Names are given as texts: in a plain string ``[x=1]`` of a grid point would be read as markup and vanish."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names, *widths = _widths(arms, found, console.width)
    table = Table(title=title, title_justify="left", title_style="dim", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("arm", overflow="fold", width=names)
    for (column, _), width in zip(found, widths, strict=True):
        table.add_column(Text(column.title), justify="right", overflow="fold", width=width)
    for row, arm in enumerate(arms):
        table.add_row(Text(arm), *(Text(texts[row]) for _, texts in found))
    console.print(table)
    console.print()
