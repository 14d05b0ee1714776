"""The plots of a report: what privacy costs and buys, each metric by arm with intervals and seeds, utility against time."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.comparison.bounds import bound_plots
from tasks.comparison.columns import Column, split_group
from tasks.comparison.comparison import SPENT, Comparison
from tasks.comparison.courses import course_plots, decile_plots
from tasks.comparison.drawing import BASELINE, OTHER, SEED, Plot, better, figure, plain, reach, short, svg
from tasks.comparison.frontier import frontier_plots
from tasks.comparison.heatmap import correlation_plots
from tasks.comparison.naming import Point, named, place_names
from tasks.comparison.nightly import night_plots

MOST_DOT_PLOTS = 6


def plots(comparison: Comparison, found: Sequence[Column]) -> list[Plot]:
    """Every plot of a comparison; none where nothing was measured."""
    made = [*frontier_plots(comparison, found), *bound_plots(comparison, found)]
    instead = {*SPENT, *(metric for plot in made for metric in plot.instead)}
    measured = [column for column in found if column.measured(comparison) and not split_group(column.metric)[1]]
    shown = [column for column in measured if column.prefix != "cost" and column.metric not in instead]
    made += [*course_plots(comparison), *decile_plots(comparison, found)]
    made += [Plot(f"{column.name} by arm", dots(comparison, column)) for column in shown[:MOST_DOT_PLOTS]]
    leading = next((column for column in measured if column.prefix == "utility"), None)
    seconds = next((column for column in measured if column.metric == "cost/train_seconds"), None)
    if leading is not None and seconds is not None and len(comparison.arms) > 1:
        made.append(against(comparison, seconds, leading))
    return made + correlation_plots(comparison) + night_plots(comparison)


def dots(comparison: Comparison, column: Column) -> str:
    """One metric: a row per arm with its value, its interval and every seed as a small dot."""
    shown = column.measured(comparison)
    made, axes = figure(7.2, 0.9 + 0.42 * len(shown))
    for place, (arm, value) in enumerate(reversed(shown.items())):
        seeds = [trial.metrics[column.metric] for trial in comparison.trials if trial.arm == arm and column.metric in trial.metrics]
        if len(seeds) > 1:
            axes.plot(seeds, [place + 0.18] * len(seeds), linestyle="none", marker="o", markersize=3.5, color=SEED)
        colour = BASELINE if comparison.is_baseline(arm) else OTHER
        axes.errorbar([float(value.value or 0)], [place], xerr=reach(value), fmt="o", color=colour, markersize=7, capsize=4)
    axes.set_yticks(range(len(shown)), [plain(short(arm)) for arm in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(plain(f"{column.title} ({better(next(iter(shown.values())))})" if shown else column.title))
    return svg(made)


def against(comparison: Comparison, across: Column, up: Column) -> Plot:
    """Two metrics, an arm a point with both intervals."""
    made, axes = figure(7.2, 4.0)
    places, heights = across.measured(comparison), up.measured(comparison)
    points = [Point(arm, float(value.value or 0), heights[arm]) for arm, value in places.items() if arm in heights]
    for point in points:
        x, colour = places[point.arm], BASELINE if comparison.is_baseline(point.arm) else OTHER
        axes.errorbar([point.x], [point.y], xerr=reach(x), yerr=reach(point.value), fmt="o", color=colour, markersize=7, capsize=3, elinewidth=1)
        axes.set_xlabel(plain(f"{across.metric} ({better(x)})"))
        axes.set_ylabel(plain(f"{up.metric} ({better(point.value)})"))
    axes.margins(0.18)
    place_names(axes, points, named(comparison))
    return Plot(f"{up.name} against {across.name}", svg(made))
