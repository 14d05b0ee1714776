"""The nights of a retraining audit in one look: lifetime epsilon, attack, fairness and utility over nights, each night in the colour of its decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.comparison.columns import words
from tasks.comparison.comparison import SPENT, Comparison
from tasks.comparison.drawing import BASELINE, LINE, OTHER, Plot, plain, svg
from tasks.comparison.history import BUDGET, LIFETIME, NightLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NIGHTS = "nights"
"""The section of the report in which the plot stands."""
COLOURS = {"promoted": "#15803d", "refused": "#b91c1c", "failed": "#b45309", "skipped": "#9ca3af"}
SIGNS = {"promoted": "o", "refused": "X", "failed": "v", "skipped": "|"}
MOST_PANELS, MOST_SHOWN, HEIGHT = 6, 60, 1.35
USUAL = (("privacy/", "/auc"), ("fairness/", "/difference"), ("utility/", ""))
"""What is drawn of each family where no gate is about it: the first metric that begins and ends so."""


def night_plots(comparison: Comparison) -> list[Plot]:
    """One picture of the last nights; none for a study that has none."""
    nights = comparison.nights[-MOST_SHOWN:]
    if not nights:
        return []
    note = "Green: promoted, red: refused, orange: failed, grey: nothing to do. Dashed: bounds of gates, and the budget. Grey line: the champion of the time."
    return [Plot("Night by night", _drawn(comparison, nights), note, section=NIGHTS)]


def panels(comparison: Comparison) -> list[str]:
    """The metrics that are drawn below the lifetime epsilon: those that gates are about, and of a family without a gate the usual one."""
    had = dict.fromkeys(metric for night in comparison.nights for metric in night.numbers if metric not in (LIFETIME, BUDGET))
    found = [metric for metric in dict.fromkeys(gate.metric for gate in comparison.gates) if metric in had and metric not in SPENT]
    for begin, end in USUAL:
        fits = [metric for metric in had if metric.startswith(begin) and metric.endswith(end) and metric not in SPENT]
        if fits and not any(metric.startswith(begin) for metric in found):
            found.append(fits[0])
    order = [begin for begin, _ in USUAL]
    return sorted(found, key=lambda metric: next((place for place, begin in enumerate(order) if metric.startswith(begin)), len(order)))[: MOST_PANELS - 1]


def _drawn(comparison: Comparison, nights: Sequence[NightLine]) -> str:
    from matplotlib.figure import Figure

    metrics = [LIFETIME, *panels(comparison)]
    made = Figure(figsize=(8.4, 0.9 + HEIGHT * len(metrics)), layout="constrained")
    places = range(len(nights))
    rows = made.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for axes, metric in zip(rows, metrics, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
        for place, night in enumerate(nights):
            axes.axvspan(place - 0.5, place + 0.5, color=COLOURS[night.decision], alpha=0.09, linewidth=0)
        _panel(axes, metric, nights)
        for bound in _bounds(comparison, metric):
            axes.axhline(bound, color=BASELINE, linestyle="--", linewidth=1)
        axes.set_title(plain(_title(metric)), loc="left", fontsize=9.5)
        axes.margins(y=0.22)
    rows[-1].set_xticks(
        list(places), [f"{night.number}\n{night.decision}" for night in nights] if len(nights) <= 12 else [str(night.number) for night in nights]
    )
    rows[-1].set_xlim(-0.5, max(len(nights) - 0.5, 3.5))
    rows[-1].set_xlabel("night")
    return svg(made)


def _panel(axes: Axes, metric: str, nights: Sequence[NightLine]) -> None:
    points = [(place, night.numbers[metric], night.decision) for place, night in enumerate(nights) if metric in night.numbers]
    if metric == LIFETIME:
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=OTHER, linewidth=1.4)
        budgets = [(place, night.numbers[BUDGET]) for place, night in enumerate(nights) if BUDGET in night.numbers]
        axes.plot([x for x, _ in budgets], [y for _, y in budgets], color=BASELINE, linestyle="--", linewidth=1)
        axes.set_ylim(bottom=0)
    else:
        steps = _champions(metric, nights)
        axes.plot([x for x, _ in steps], [y for _, y in steps], color=LINE, linewidth=1.4, drawstyle="steps-post")
    for decision, colour in COLOURS.items():
        mine = [(x, y) for x, y, decided in points if decided == decision]
        axes.plot([x for x, _ in mine], [y for _, y in mine], linestyle="none", marker=SIGNS[decision], markersize=7, color=colour)


def _champions(metric: str, nights: Sequence[NightLine]) -> list[tuple[float, float]]:
    """The number that the champion of each night had on the night that promoted it."""
    steps: list[tuple[float, float]] = []
    value = None
    for place, night in enumerate(nights):
        if night.decision == "promoted":
            value = night.numbers.get(metric)
        if value is not None:
            steps.append((float(place), value))
    return steps


def _bounds(comparison: Comparison, metric: str) -> list[float]:
    return [gate.limit for gate in comparison.gates if gate.metric == metric and gate.limit is not None]


def _title(metric: str) -> str:
    return (
        "lifetime epsilon of the population, with its budget" if metric == LIFETIME else words(metric) if metric.count("/") > 1 else metric.replace("/", ": ")
    )
