"""Plots of what privacy costs and buys: utility, fairness and what attacks find, each against epsilon."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.comparison.budgets import Budgets, budgets
from tasks.comparison.columns import Column, widest
from tasks.comparison.comparison import Comparison
from tasks.comparison.drawing import BASELINE, LINE, OTHER, Plot, better, figure, plain, reach, svg
from tasks.comparison.naming import Point, named, place_names
from tasks.comparison.pareto import Front, front
from tasks.comparison.tradeoff import NO_PRIVACY, Placed, doubts, left_out_words, placed, tradeoff

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AUC, BLIND_AUC, BLIND = "/auc", "/blind_auc", "#b45309"
WIDTH, HEIGHT = 7.2, 4.0
SIDE_BY_SIDE = "Points of one epsilon stand side by side"
BESIDE = 0.018
"""Half the distance of an arm's two series in an attack's plot, as a part of the axis."""


def frontier_plots(comparison: Comparison, found: Sequence[Column]) -> list[Plot]:
    """Utility and the difference between groups against epsilon, then every attack; nothing where fewer than two arms would stand in a plot."""
    weighed = tradeoff(comparison, found)
    if weighed is None:
        return []
    costs = (_weighed(comparison, weighed.epsilon, up) for up in weighed.columns[1:])
    attacks = (_attacked(comparison, found, weighed.epsilon, attack) for attack in attacked(found))
    return [plot for plot in (*costs, *attacks) if plot is not None]


def attacked(found: Sequence[Column]) -> list[str]:
    """The metrics that are the AUC of an attack: ``privacy/loss_threshold/auc``."""
    return list(dict.fromkeys(column.metric for column in found if column.prefix == "privacy" and column.metric.endswith(AUC)))


def _weighed(comparison: Comparison, epsilon: Column, up: Column) -> Plot | None:
    """A metric against epsilon, with the front of these two."""
    at = placed(comparison, (epsilon, up))
    best = front(comparison, (epsilon, up))
    if best is None:
        return None
    axis = _axis(comparison, at)
    points = _points(comparison, axis, up)
    made, axes = figure(WIDTH, HEIGHT)
    for point in points:
        colour = BASELINE if comparison.is_baseline(point.arm) else OTHER
        inside = colour if point.arm in best.best else "white"
        axes.errorbar([point.x], [point.y], yerr=reach(point.value), fmt="o", color=colour, markerfacecolor=inside, markersize=7, capsize=3, elinewidth=1)
    line = sorted((point.x, point.y) for point in points if point.arm in best.best and at.places[point.arm][0] != NO_PRIVACY)
    axes.step([x for x, _ in line], [y for _, y in line], where="post", color=LINE, linewidth=1, zorder=1)
    _finish(axes, axis, epsilon, f"{up.name} ({better(points[0].value)})")
    steps = [(x, y, after, y) for (x, y), (after, _) in pairwise(line)] + [(x, y, x, below) for (_, below), (x, y) in pairwise(line)]
    place_names(axes, points, named(comparison), lines=steps)
    note = _note(_front_words(best, len(line)), SIDE_BY_SIDE if axis.beside else "", left_out_words(at.left_out), doubts(comparison, list(at.places), (up,)))
    return Plot(f"{up.name} against {epsilon.name}", svg(made), note)


def _attacked(comparison: Comparison, found: Sequence[Column], epsilon: Column, metric: str) -> Plot | None:
    """An attack's AUC and its blind baseline against epsilon."""
    model = widest(comparison, found, metric)
    blind = widest(comparison, found, metric.removesuffix(AUC) + BLIND_AUC)
    at = placed(comparison, (epsilon, model)) if model is not None else Placed({}, {})
    if model is None or len(at.places) < 2 or all(place[0] == NO_PRIVACY for place in at.places.values()):
        return None
    axis = _axis(comparison, at)
    series = [("AUC of the attack", model, OTHER, "o", -BESIDE), ("blind AUC", blind, BLIND, "D", BESIDE)]
    made, axes = figure(WIDTH, HEIGHT)
    axes.axhline(0.5, color=LINE, linewidth=1)
    drawn: list[list[Point]] = []
    for text, column, colour, marker, beside in series:
        points = [] if column is None else _points(comparison, axis, column, beside)
        drawn.append(points)
        for index, point in enumerate(points):
            label = text if index == 0 else None
            axes.errorbar([point.x], [point.y], yerr=reach(point.value), fmt=marker, color=colour, markersize=6, capsize=3, elinewidth=1, label=label)
    _finish(axes, axis, epsilon, f"{model.title} (0.5 is guessing)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)
    place_names(axes, drawn[0], named(comparison), drawn[1])
    shown = [column for column in (model, blind) if column is not None]
    blindly = "The blind AUC is reached without the model: only what lies above it was learned from the model" if blind is not None else ""
    note = _note(blindly, SIDE_BY_SIDE, left_out_words(at.left_out), doubts(comparison, list(at.places), shown))
    return Plot(f"{model.name} against {epsilon.name}", svg(made), note, tuple(column.metric for column in shown))


def _axis(comparison: Comparison, at: Placed) -> Budgets:
    epsilons = {arm: place[0] for arm, place in at.places.items()}
    plainly = all(comparison.guarantees.get(arm) == "none" for arm, epsilon in epsilons.items() if epsilon == NO_PRIVACY)
    return budgets(epsilons, "no privacy" if plainly else "no epsilon")


def _points(comparison: Comparison, axis: Budgets, column: Column, beside: float = 0.0) -> list[Point]:
    measured = column.measured(comparison)
    return [Point(arm, x + beside * axis.span, measured[arm]) for arm, x in axis.x.items() if arm in measured]


def _finish(axes: Axes, axis: Budgets, epsilon: Column, upward: str) -> None:
    axes.margins(y=0.18)
    axis.draw(axes)
    axes.set_xlabel(plain(f"{epsilon.name} (lower is better; logarithmic)"))
    axes.set_ylabel(plain(upward))


def _front_words(best: Front, joined: int) -> str:
    line = "; the thin line joins those that have an epsilon" if joined > 1 else ""
    hollow = ", hollow arms are dominated" if best.dominated else ""
    return f"Filled arms are on the Pareto front of these two numbers, by means{hollow}{line}"


def _note(*parts: str) -> str:
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
