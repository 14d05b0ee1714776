"""The plot of theory and practice: what audits prove of each arm's training, against the epsilon that it claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tasks.comparison.budgets import budgets
from tasks.comparison.columns import Column, widest, words
from tasks.comparison.comparison import EPSILON, Comparison
from tasks.comparison.drawing import LINE, Plot, figure, plain, reach, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWER, CEILING = "/epsilon_lower", "/epsilon_ceiling"
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#7c3aed")
MARKERS = "osD^"
BESIDE = 0.016
"""Distance of the series of one arm, as a part of the axis."""
NOTE = (
    "Points are lower bounds, with their intervals over seeds; the dashes above them are the ceilings that they could have reached. "
    "A bound above the line disproves the claim."
)


def bound_plots(comparison: Comparison, found: Sequence[Column]) -> list[Plot]:
    """Every audit's lower bound with its ceiling, against the claimed epsilon; nothing where fewer than two arms were audited and have one."""
    epsilon = widest(comparison, found, EPSILON)
    metrics = list(dict.fromkeys(column.metric for column in found if column.metric.endswith(LOWER)))
    audits = [column for metric in metrics if (column := widest(comparison, found, metric)) is not None]
    if epsilon is None or not audits:
        return []
    claimed = {arm: float(value.value) for arm, value in epsilon.measured(comparison).items() if value.value}
    arms = {arm: claim for arm, claim in claimed.items() if any(arm in column.measured(comparison) for column in audits)}
    if len(arms) < 2:
        return []
    axis = budgets(arms)
    made, axes = figure(7.2, 4.0)
    low, high = axis.ends
    line = [low + (high - low) * share / 60 for share in range(61)]
    axes.plot(line, [10**x for x in line], color=LINE, linewidth=1, label="the epsilon that is claimed")
    for index, column in enumerate(audits):
        _draw(axes, comparison, found, column, axis.x, (index - (len(audits) - 1) / 2) * BESIDE * axis.span, index)
    axis.draw(axes)
    axes.set_ylim(-0.04 * max(arms.values()), 1.08 * max(arms.values()))
    axes.set_xlabel(plain(f"{epsilon.name} (lower is better; logarithmic)"))
    axes.set_ylabel("lower bound on epsilon")
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return [Plot("Audited lower bounds against the claimed epsilon", svg(made), NOTE, tuple(metrics))]


def _draw(axes: Axes, comparison: Comparison, found: Sequence[Column], column: Column, places: Mapping[str, float], beside: float, index: int) -> None:
    """One audit's bounds and ceilings."""
    ceilings = widest(comparison, found, column.metric.removesuffix(LOWER) + CEILING)
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    label: str | None = words(column.metric).removesuffix(" epsilon lower")
    for arm, value in column.measured(comparison).items():
        if arm not in places or value.value is None:
            continue
        x = places[arm] + beside
        axes.errorbar([x], [value.value], yerr=reach(value), fmt=marker, color=colour, markersize=6, capsize=3, elinewidth=1, label=label)
        label = None
        ceiling = None if ceilings is None else ceilings.value(comparison, arm)
        if ceiling is not None and ceiling.value is not None and math.isfinite(ceiling.value):
            axes.plot([x], [ceiling.value], marker="_", color=colour, markersize=9, linestyle="none")
