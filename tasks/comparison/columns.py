"""Which numbers may stand in one column: those of one metric that were measured under the same conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.conditions import unlike

MARKS = "abcdefghijklmnopqrstuvwxyz"
WRITTEN = {"mib": "MiB", "f1": "F1"}
"""Words of metric names as people write them."""


@dataclass(frozen=True)
class Column:
    """A metric under one set of conditions. ``mark`` tells it from the same metric under others; empty where there is one set."""

    metric: str
    conditions: Mapping[str, str]
    mark: str

    @property
    def title(self) -> str:
        """``accuracy``, or ``accuracy (b)``."""
        name = " ".join(WRITTEN.get(word, word) for word in self.metric.split("/", 1)[1].split("_"))
        return f"{name} ({self.mark})" if self.mark else name

    @property
    def name(self) -> str:
        """``utility/accuracy``, or ``utility/accuracy (b)``."""
        return f"{self.metric} ({self.mark})" if self.mark else self.metric

    @property
    def prefix(self) -> str:
        """``utility``, ``privacy``, ..."""
        return self.metric.split("/")[0]

    def value(self, comparison: Comparison, arm: str) -> Value | None:
        """An arm's number in this column; None where it has none, or has it under other conditions."""
        found = comparison.arms.get(arm, {}).get(self.metric)
        return found if found is not None and (found.value is None or found.conditions == self.conditions) else None


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


def marks_explained(found: list[Column]) -> list[str]:
    """For each column that has a mark, the conditions in which it differs from its twins: ``loss (a): task intent``."""
    said = []
    for column in found:
        twins = [other for other in found if other.metric == column.metric]
        differing = unlike([twin.conditions for twin in twins])
        if column.mark:
            said.append(f"{column.title}: " + ", ".join(f"{name} {column.conditions.get(name, 'none')}" for name in differing))
    return said
