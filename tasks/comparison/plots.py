"""Plots of a comparison as SVG text: each arm's numbers with their intervals and seeds, and one metric against another."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.comparison.columns import Column
from tasks.comparison.comparison import Comparison, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE, OTHER, SEED = "#6b7280", "#1d4ed8", "#93c5fd"
LONGEST_LABEL = 44


def dots(comparison: Comparison, column: Column) -> str:
    """One metric: a row per arm with its value, its interval and every seed as a small dot."""
    shown = [(arm, value) for arm in comparison.arms if (value := column.value(comparison, arm)) is not None and value.value is not None]
    figure, axes = _figure(7.2, 0.9 + 0.42 * len(shown))
    for place, (arm, value) in enumerate(reversed(shown)):
        seeds = [trial.metrics[column.metric] for trial in comparison.trials if trial.arm == arm and column.metric in trial.metrics]
        if len(seeds) > 1:
            axes.plot(seeds, [place + 0.18] * len(seeds), linestyle="none", marker="o", markersize=3.5, color=SEED)
        colour = BASELINE if arm == comparison.baseline else OTHER
        axes.errorbar([float(value.value or 0)], [place], xerr=_reach(value), fmt="o", color=colour, markersize=7, capsize=4)
    axes.set_yticks(range(len(shown)), [_plain(_short(arm)) for arm, _ in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(_plain(f"{column.title} ({_better(shown[0][1])})" if shown else column.title))
    return _svg(figure)


def against(comparison: Comparison, across: Column, up: Column) -> str:
    """Two metrics, an arm a point with both intervals."""
    figure, axes = _figure(7.2, 4.0)
    found = list(_both(comparison, across, up))
    places = [float(x.value or 0) for _, x, _ in found] or [0.0]
    middle = (min(places) + max(places)) / 2
    for arm, x, y in found:
        colour = BASELINE if arm == comparison.baseline else OTHER
        axes.errorbar(
            [float(x.value or 0)], [float(y.value or 0)], xerr=_reach(x), yerr=_reach(y), fmt="o", color=colour, markersize=7, capsize=3, elinewidth=1
        )
        side, reach = ("right", -7) if float(x.value or 0) > middle else ("left", 7)
        place = (float(x.value or 0), float(y.value or 0))
        name = axes.annotate(_plain(_short(arm)), place, xytext=(reach, 6), textcoords="offset points", fontsize=9, horizontalalignment=side)
        name.set_in_layout(False)
        axes.set_xlabel(_plain(f"{across.metric} ({_better(x)})"))
        axes.set_ylabel(_plain(f"{up.metric} ({_better(y)})"))
    axes.margins(0.18)
    return _svg(figure)


def _both(comparison: Comparison, across: Column, up: Column) -> Iterator[tuple[str, Value, Value]]:
    for arm in comparison.arms:
        x, y = across.value(comparison, arm), up.value(comparison, arm)
        if x is not None and y is not None and x.value is not None and y.value is not None:
            yield arm, x, y


def _better(value: Value) -> str:
    return {"higher": "higher is better", "lower": "lower is better", "none": "no better direction"}[value.direction]


def _reach(value: Value) -> Any:
    if value.value is None or value.low is None or value.high is None:
        return None
    return [[max(0.0, value.value - value.low)], [max(0.0, value.high - value.value)]]


def _short(arm: str) -> str:
    """A long name without its middle: grid points differ at their ends."""
    half = LONGEST_LABEL // 2
    return arm if len(arm) <= LONGEST_LABEL else f"{arm[:half]}…{arm[-half:]}"


def _plain(text: str) -> str:
    """Text that is drawn as it stands: a pair of dollar signs would begin a formula."""
    return text.replace("$", r"\$")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The drawing alone, without the XML head, ready to stand in a page."""
    import matplotlib

    text = io.StringIO()
    figure.patch.set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "assay"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's browser has the font, and draws the text
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :]
