"""Tables of one metric by group, with the size of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.comparison.cells import cell
from tasks.comparison.columns import Column, split_group, words
from tasks.comparison.comparison import Comparison


@dataclass(frozen=True)
class GroupTable:
    """``accuracy by group``: a head and rows of text, each as long as the head. It stands with the other numbers of its ``prefix``."""

    prefix: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def group_tables(comparison: Comparison, found: Sequence[Column]) -> list[GroupTable]:
    """One table per metric that is known by group. Arms or groups stand across, whichever are fewer, so that a page holds them."""
    metrics: dict[str, list[Column]] = {}
    for column in found:
        if column.group:
            metrics.setdefault(split_group(column.metric)[0], []).append(column)
    return [_table(comparison, metric, groups) for metric, groups in metrics.items()]


def _table(comparison: Comparison, metric: str, groups: Sequence[Column]) -> GroupTable:
    deciles = all(column.group.startswith("decile ") for column in groups)
    prefix, title = metric.split("/")[0], f"{words(metric)} by {'activity: tenths of the devices, the most active last' if deciles else 'group'}"
    told = groups[0].conditions
    title, counted = f"{title} ({told['release']})" if "release" in told else title, told.get("counted", "records")
    sizes = [_size(comparison, column) for column in groups]
    cells = [[cell(comparison, column, arm) or "-" for arm in comparison.arms] for column in groups]
    if len(groups) <= len(comparison.arms):
        head = (f"{column.group} ({size}\u00a0{counted})" if size else column.group for column, size in zip(groups, sizes, strict=True))
        rows = ((arm, *(texts[place] for texts in cells)) for place, arm in enumerate(comparison.arms))
        return GroupTable(prefix, title, ("arm", *head), tuple(rows))
    lines = ((column.group, size or "-", *texts) for column, size, texts in zip(groups, sizes, cells, strict=True))
    return GroupTable(prefix, title, ("group", counted, *comparison.arms), tuple(lines))


def _size(comparison: Comparison, column: Column) -> str:
    """How many records or devices a group has; empty where that is not known."""
    sizes = sorted({value.records for value in column.measured(comparison).values() if value.records is not None})
    return "" if not sizes else f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
