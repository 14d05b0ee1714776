"""Plots of what changes within an arm: a metric over rounds of training, and over tenths of the devices by activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.comparison.columns import Column, split_group, words
from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.drawing import BASELINE, Plot, better, figure, plain, short, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1d4ed8", "#b45309", "#047857", "#be185d", "#7c3aed", "#0e7490", "#b91c1c", "#4d7c0f", "#9333ea", "#0369a1", "#a16207", "#334155")
STYLES = ("-", "--", ":", "-.")

Course = tuple[tuple[float, float], ...]


def course_plots(comparison: Comparison) -> list[Plot]:
    """A line per arm: the mean over seeds after each round that was checked, each seed faint behind it."""
    names = dict.fromkeys(name for trial in comparison.trials for name in trial.courses)
    return [
        Plot(
            f"{name} by round",
            _courses(comparison, name),
            "A line is the mean over seeds; each seed is a faint line behind it. The untrained model's score may lie outside.",
        )
        for name in names
    ]


def _courses(comparison: Comparison, name: str) -> str:
    made, axes = figure(8.4, 4.4)
    shown = [arm for arm in comparison.arms if _of(comparison, arm, name)]
    for arm, look in zip(shown, _looks(comparison, shown), strict=True):
        courses = _of(comparison, arm, name)
        if len(courses) > 1:
            for course in courses:
                axes.plot(*zip(*course, strict=True), color=look["color"], linewidth=0.6, alpha=0.25)
        axes.plot(*zip(*_mean(courses), strict=True), label=plain(short(arm)), linewidth=1.8, **look)
    _after_the_first(axes, [point for arm in shown for course in _of(comparison, arm, name) for point in course])
    value = next((values[name] for values in comparison.arms.values() if name in values), Value(value=None))
    axes.set_xlabel("round")
    axes.set_ylabel(plain(f"{words(name)} ({better(value)})"))
    _legend(axes, len(shown))
    return svg(made)


def _after_the_first(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Cut the scale to what was scored after the first round: an untrained model is so far off that nothing else could be told apart."""
    first = min(x for x, _ in points)
    later = [y for x, y in points if x > first]
    if later and max(later) > min(later):
        margin = 0.06 * (max(later) - min(later))
        axes.set_ylim(min(later) - margin, max(later) + margin)


def _of(comparison: Comparison, arm: str, name: str) -> list[Course]:
    return [trial.courses[name] for trial in comparison.trials if trial.arm == arm and trial.courses.get(name)]


def _mean(courses: Sequence[Course]) -> list[tuple[float, float]]:
    """The mean over seeds where all of them were checked."""
    values: dict[float, list[float]] = {}
    for course in courses:
        for x, y in course:
            values.setdefault(x, []).append(y)
    return [(x, sum(found) / len(found)) for x, found in sorted(values.items()) if len(found) == len(courses)]


def decile_plots(comparison: Comparison, found: Sequence[Column]) -> list[Plot]:
    """A line per arm over tenths of the devices, the least active first: whom does the model serve?"""
    metrics: dict[str, dict[int, Column]] = {}
    for column in found:
        measured, group = split_group(column.metric)
        if group.startswith("decile ") and not column.mark:
            metrics.setdefault(measured, {})[int(group.split()[1])] = column
    return [Plot(f"{metric} by activity", _deciles(comparison, metric, columns)) for metric, columns in metrics.items()]


def _deciles(comparison: Comparison, metric: str, columns: Mapping[int, Column]) -> str:
    made, axes = figure(8.4, 4.0)
    numbers = {decile: column.measured(comparison) for decile, column in sorted(columns.items())}
    shown = [arm for arm in comparison.arms if any(arm in values for values in numbers.values())]
    way = Value(value=None)
    for arm, look in zip(shown, _looks(comparison, shown), strict=True):
        places = [(decile, values[arm]) for decile, values in numbers.items() if arm in values]
        way = places[0][1]
        axes.plot([decile for decile, _ in places], [float(value.value or 0) for _, value in places], marker="o", markersize=4, label=plain(short(arm)), **look)
    axes.set_xticks(range(1, 11))
    axes.set_xlabel("tenth of the devices by activity, the most active last")
    axes.set_ylabel(plain(f"{words(metric)} ({better(way)})"))
    _legend(axes, len(shown))
    return svg(made)


def _looks(comparison: Comparison, arms: Sequence[str]) -> list[dict[str, Any]]:
    """Colour and stroke of each arm: the baseline grey, no two of the others alike while strokes last."""
    looks: list[dict[str, Any]] = []
    place = 0
    for arm in arms:
        if comparison.is_baseline(arm):
            looks.append({"color": BASELINE, "linestyle": "-"})
            continue
        looks.append({"color": COLOURS[place % len(COLOURS)], "linestyle": STYLES[place // len(COLOURS) % len(STYLES)]})
        place += 1
    return looks


def _legend(axes: Axes, arms: int) -> None:
    if arms > 1:
        axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
