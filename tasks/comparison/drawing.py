"""What all drawings of a report share: the figure, its colours, names as they are drawn, and the way to SVG text."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.comparison.comparison import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE, OTHER, SEED, LINE = "#6b7280", "#1d4ed8", "#93c5fd", "#9ca3af"
LONGEST_NAME, LONGEST_FILE = 44, 120


@dataclass(frozen=True)
class Plot:
    """A drawing.

    Args:
        caption: what it shows, in words.
        svg: the drawing.
        note: what must be known to read it.
        instead: metrics that need no plot of their own beside it.
        section: the part of the report in which it stands; empty: among the plots.
    """

    caption: str
    svg: str
    note: str = ""
    instead: tuple[str, ...] = ()
    section: str = ""

    @property
    def name(self) -> str:
        """Its name as a file, the same for every study that draws it: ``utility_accuracy_against_privacy_epsilon``."""
        return re.sub("[^A-Za-z0-9.-]+", "_", self.caption).strip("_.")[:LONGEST_FILE]


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty plot of that many inches."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return made, axes


def svg(made: Figure) -> str:
    """The drawing alone on white, without the XML head, ready to stand in a page or in a file of its own."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "assay"}), any_glyph():
        made.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :]


@contextmanager
def any_glyph() -> Iterator[None]:
    """No warning where a name has a letter that the drawing's font lacks: the reader's browser has one, and draws the text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def better(value: Value) -> str:
    """Which way is better, for the name of an axis."""
    return {"higher": "higher is better", "lower": "lower is better", "none": "no better direction"}[value.direction]


def reach(value: Value) -> Any:
    """How far the interval goes below and above the value, as error bars are given; None without one."""
    if value.value is None or value.low is None or value.high is None:
        return None
    return [[max(0.0, value.value - value.low)], [max(0.0, value.high - value.value)]]


def short(name: str) -> str:
    """A long name without its middle: grid points differ at their ends."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def plain(text: str) -> str:
    """Text that is drawn as it stands: a pair of dollar signs would begin a formula."""
    return text.replace("$", r"\$")
