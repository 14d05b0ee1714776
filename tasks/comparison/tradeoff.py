"""What is weighed against privacy: which columns stand for epsilon, utility and fairness, and where each arm stands in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.comparison.columns import Column, widest
from tasks.comparison.comparison import EPSILON, Comparison
from tasks.comparison.conditions import unlike
from tasks.comparison.reasons import merged

NO_PRIVACY = math.inf
BOUNDED = ")-DP"
"""Stands in every guarantee that has an epsilon."""
"""The epsilon of an arm without privacy: nothing bounds what it gives away."""


@dataclass(frozen=True)
class Tradeoff:
    """The columns that are weighed. Epsilon is in each; utility and fairness are None where no arm has the number."""

    epsilon: Column
    utility: Column | None
    fairness: Column | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those that there are: privacy, utility, fairness."""
        return (self.epsilon, *(column for column in (self.utility, self.fairness) if column is not None))


@dataclass(frozen=True)
class Placed:
    """Where arms stand in some columns, one number per column; ``left_out`` says of the others why they have no place."""

    places: Mapping[str, tuple[float, ...]]
    left_out: Mapping[str, str]


def tradeoff(comparison: Comparison, found: Sequence[Column]) -> Tradeoff | None:
    """Epsilon, the first utility metric that has a direction, and the first difference between groups. None where no arm has an epsilon."""
    epsilon = widest(comparison, found, EPSILON)
    if epsilon is None:
        return None
    utility = _first(comparison, [column for column in found if column.prefix == "utility"], found)
    fairness = _first(comparison, [column for column in found if column.prefix == "fairness" and column.metric.endswith("/difference")], found)
    return Tradeoff(epsilon, utility, fairness)


def _first(comparison: Comparison, among: Sequence[Column], found: Sequence[Column]) -> Column | None:
    judged = (column for column in among if any(value.direction != "none" for value in column.measured(comparison).values()))
    first = next(judged, None)
    return None if first is None else widest(comparison, found, first.metric)


def placed(comparison: Comparison, across: Sequence[Column]) -> Placed:
    """Every arm's means in the columns. No privacy is an infinite epsilon; a number that is missing, or under other conditions, is no place.

    An arm that has a guarantee but no epsilon here, a champion trained on another night, has no place either.
    """
    places: dict[str, tuple[float, ...]] = {}
    left_out: dict[str, str] = {}
    for arm in comparison.arms:
        numbers = [_number(comparison, column, arm) for column in across]
        problems = [found for found in numbers if isinstance(found, str)]
        if problems:
            left_out[arm] = ", ".join(problems)
        else:
            places[arm] = tuple(found for found in numbers if not isinstance(found, str))
    return Placed(places, left_out)


def _number(comparison: Comparison, column: Column, arm: str) -> float | str:
    """The mean, or why there is none."""
    value = comparison.arms[arm].get(column.metric)
    if value is None and column.metric == EPSILON and comparison.arms[arm] and BOUNDED not in comparison.guarantees.get(arm, ""):
        return NO_PRIVACY
    if value is None or value.value is None:
        return f"no {column.metric}"
    if value.conditions != column.conditions:
        return f"{column.metric} under another {' and '.join(unlike([value.conditions, column.conditions]))}"
    return value.value


def left_out_words(left_out: Mapping[str, str]) -> str:
    """``Left out: a (no utility/accuracy), b (...).``; empty where none is."""
    return f"Left out: {', '.join(f'{arm} ({why})' for arm, why in left_out.items())}." if left_out else ""


def doubts(comparison: Comparison, arms: Sequence[str], across: Sequence[Column]) -> str:
    """Which arms' numbers in the columns are confounded, and why: ``Confounded (all arms): ....``; empty where none is."""
    values = {arm: [value for column in across if (value := column.value(comparison, arm)) is not None and value.status == "confounded"] for arm in arms}
    doubted = [arm for arm, found in values.items() if found]
    if not doubted:
        return ""
    reasons = merged(value.reason or "no reason was given" for found in values.values() for value in found)
    return f"Confounded ({'all arms' if len(doubted) == len(arms) else ', '.join(doubted)}): {'; '.join(reasons).rstrip('.')}."
