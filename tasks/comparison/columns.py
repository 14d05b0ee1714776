"""Which numbers may stand in one column: those of one metric that were measured under the same conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.conditions import unlike

MARKS = "abcdefghijklmnopqrstuvwxyz"
_CAPITALS = ("auc", "tpr", "fpr", "bpsn", "bnsp", "lm", "weat", "seat", "ceat", "ilps", "mdl", "bbq", "icat")
_NAMES = {"mib": "MiB", "f1": "F1", "1pct": "1%", "01pct": "0.1%", "stereoset": "StereoSet", "crows": "CrowS", "winobias": "WinoBias"}
WRITTEN = _NAMES | {name: name.upper() for name in _CAPITALS}
"""Words of metric names as people write them."""
GROUP = re.compile(r"/by_group/(?P<group>.+)|/(?P<decile>decile_[0-9]+)$")
"""Ends the name of a metric of one group, ``fairness/accuracy/by_group/<group>``, or of one decile of devices, ``utility/accuracy/decile_1``."""


@dataclass(frozen=True)
class Column:
    """A metric under one set of conditions. ``mark`` tells it from the same metric under others; empty where there is one set."""

    metric: str
    conditions: Mapping[str, str]
    mark: str

    @property
    def title(self) -> str:
        """``accuracy``, or ``accuracy (b)``."""
        return self._marked(words(self.metric))

    @property
    def name(self) -> str:
        """``utility/accuracy``, or ``utility/accuracy (b)``."""
        return self._marked(self.metric)

    @property
    def group(self) -> str:
        """The group that it is about, or ``north (b)``; empty for a metric of all."""
        group = split_group(self.metric)[1]
        return self._marked(group) if group else ""

    @property
    def prefix(self) -> str:
        """``utility``, ``privacy``, ..."""
        return self.metric.split("/")[0]

    def _marked(self, text: str) -> str:
        return f"{text} ({self.mark})" if self.mark else text

    def value(self, comparison: Comparison, arm: str) -> Value | None:
        """An arm's number in this column; None where it has none, or has it under other conditions."""
        found = comparison.arms.get(arm, {}).get(self.metric)
        return found if found is not None and (found.value is None or found.conditions == self.conditions) else None

    def measured(self, comparison: Comparison) -> dict[str, Value]:
        """The arms that have a number in this column, with it."""
        values = ((arm, self.value(comparison, arm)) for arm in comparison.arms)
        return {arm: value for arm, value in values if value is not None and value.value is not None}


def split_group(metric: str) -> tuple[str, str]:
    """What is measured, and of which group: ``north``, ``decile 1``; empty for a metric of all."""
    found = GROUP.search(metric)
    if found is None:
        return metric, ""
    return metric[: found.start()], found["group"] or found["decile"].replace("_", " ")


def words(metric: str) -> str:
    """A metric as people write it, without its family: ``accuracy worst group``."""
    return " ".join(WRITTEN.get(word, word) for word in re.split("[_/]", metric.split("/", 1)[1]))


def columns(comparison: Comparison) -> list[Column]:
    """Every column of a comparison, in the order of its metrics."""
    made: list[Column] = []
    for metric in comparison.metrics():
        found = (values[metric] for values in comparison.arms.values() if metric in values)
        unlike: list[Mapping[str, str]] = []
        for value in found:
            if value.value is not None and value.conditions not in unlike:
                unlike.append(value.conditions)
        many = len(unlike) > 1
        made += [Column(metric, conditions, MARKS[index % len(MARKS)] if many else "") for index, conditions in enumerate(unlike or [{}])]
    return made


def widest(comparison: Comparison, found: Sequence[Column], metric: str) -> Column | None:
    """Of a metric's columns the one in which most arms have a number, the first of several; None where no arm has one."""
    mine = [column for column in found if column.metric == metric and column.measured(comparison)]
    return max(mine, key=lambda column: len(column.measured(comparison)), default=None)


def marks_explained(found: Sequence[Column]) -> list[str]:
    """For columns that have a mark, the conditions in which they differ from their twins: ``loss, accuracy (a): task intent``."""
    alike: dict[tuple[str, str], list[str]] = {}
    for column in found:
        if not column.group and (differing := in_what_it_differs(column, found)):
            alike.setdefault((column.mark, differing), []).append(words(column.metric))
    return [f"{', '.join(names)} ({mark}): {differing}" for (mark, differing), names in alike.items()]


def in_what_it_differs(column: Column, found: Sequence[Column]) -> str:
    """``task intent``: the conditions of a column that are not those of its twins; empty where it has none."""
    twins = [other for other in found if other.metric == column.metric]
    return ", ".join(_said(column.conditions, unlike([twin.conditions for twin in twins])))


def _said(conditions: Mapping[str, str], names: Sequence[str]) -> Iterator[str]:
    return (f"{name} {conditions.get(name, 'none')}" for name in names)
