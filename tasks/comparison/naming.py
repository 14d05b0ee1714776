"""Names of arms beside their points in a plot, none over another: as they are where they are few and short, else letters."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from typing import TYPE_CHECKING

from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.drawing import LINE, any_glyph, plain, reach

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Box = tuple[float, float, float, float]
"""Left, bottom, right and top in pixels."""

MOST_NAMES, LONGEST, SIZE = 8, 24, 9
RINGS, FAR = (4, 7, 16, 28, 42, 60, 80), 20
"""Distances in points of type at which a name may stand from its point; beyond FAR a thin line joins them."""
SIDES = ((0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0))
"""Right and up: above or below the interval first, where a name belongs to no other point."""
PREFERRED = 0.01
"""Of places that hide as little, the earlier in the lists above is taken."""
MARK = 4
"""Half the width of a drawn point, in points of type."""


@dataclass(frozen=True)
class Point:
    """An arm's place in a plot, with its value upwards."""

    arm: str
    x: float
    value: Value

    @property
    def y(self) -> float:
        """The number."""
        return float(self.value.value or 0.0)

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the number twice."""
        (below,), (above,) = reach(self.value) or ([0.0], [0.0])
        return self.y - below, self.y + above


def named(comparison: Comparison) -> dict[str, str]:
    """What is drawn for each arm in every plot: its name, or a letter to which the report has a key."""
    arms = list(comparison.arms)
    short = len(arms) <= MOST_NAMES and all(len(arm) <= LONGEST for arm in arms)
    return dict(zip(arms, arms if short else _letters(), strict=False))


def _letters() -> Iterator[str]:
    for length in count(1):
        for letters in product(string.ascii_uppercase, repeat=length):
            yield "".join(letters)


def place_names(axes: Axes, points: Sequence[Point], names: Mapping[str, str], around: Sequence[Point] = (), lines: Sequence[Box] = ()) -> list[Annotation]:
    """Write each point's name where it hides least: no other name, no point or interval (those ``around`` too), no line, nothing outside the axes.

    ``lines`` are level or upright, by their ends in the units of the axes. The layout is settled here, so all else must be drawn before.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    made: list[Annotation] = []
    taken: list[Box] = []
    with any_glyph():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        room, unit = _box(axes.get_window_extent()), figure.dpi / 72
        marks = [box for point in (*points, *around) for box in _marks(axes, point, unit)] + [_line(axes, line) for line in lines]
        for point in sorted(points, key=lambda point: (point.x, point.y)):
            name = axes.annotate(plain(names[point.arm]), (point.x, point.y), (0, 0), textcoords="offset points", fontsize=SIZE, verticalalignment="center")
            name.set_in_layout(False)
            left, bottom, right, top = _box(name.get_window_extent())
            place = partial(_Place, *_pixels(axes, point), right - left, top - bottom, unit)
            places = [place(ring, *side) for ring in RINGS for side in SIDES]
            costs = [_cost(place.box, room, taken, marks) + PREFERRED * rank for rank, place in enumerate(places)]
            chosen = places[costs.index(min(costs))]
            chosen.take(name)
            taken.append(chosen.box)
            made.append(name)
            if chosen.ring > FAR:
                arrow = {"arrowstyle": "-", "color": LINE, "linewidth": 0.6}
                axes.annotate("", (point.x, point.y), xytext=chosen.offset, textcoords="offset points", arrowprops=arrow).set_in_layout(False)
    return made


@dataclass(frozen=True)
class _Place:
    """A place of a name beside its point, which stands at ``x`` and ``y``; in pixels, of which ``unit`` make a point of type."""

    x: float
    y: float
    low: float
    high: float
    width: float
    height: float
    unit: float
    ring: float
    right: float
    up: float

    @property
    def offset(self) -> tuple[float, float]:
        """From the point to the middle of the name's near side, in points of type. Above and below it is the interval that counts."""
        beyond = 0.0 if self.right else (self.high if self.up > 0 else self.low) - self.y
        half = math.copysign(self.height / 2, self.up) if self.up else 0.0
        return self.ring * self.right, self.ring * self.up + (beyond + half) / self.unit

    @property
    def box(self) -> Box:
        """What the name covers there."""
        across, up = self.offset
        left = self.x + across * self.unit - self.width * (1 - self.right) / 2
        middle = self.y + up * self.unit
        return left, middle - self.height / 2, left + self.width, middle + self.height / 2

    def take(self, name: Annotation) -> None:
        """Move the name there."""
        name.set_horizontalalignment("left" if self.right > 0 else "right" if self.right < 0 else "center")
        name.xyann = self.offset


def _cost(box: Box, room: Box, taken: Sequence[Box], marks: Sequence[Box]) -> float:
    """How much a name would hide: most of all itself behind the end of the plot, or another name."""
    outside = 1 - overlap(box, room) / overlap(box, box)
    return 20 * outside + 10 * sum(overlap(box, other) > 0 for other in taken) + 3 * sum(overlap(box, other) > 0 for other in marks)


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _pixels(axes: Axes, point: Point) -> tuple[float, float, float, float]:
    """Where a point stands, and the ends of its interval."""
    x, y = axes.transData.transform((point.x, point.y))
    low, high = (float(axes.transData.transform((point.x, end))[1]) for end in point.ends)
    return float(x), float(y), low, high


def _marks(axes: Axes, point: Point, unit: float) -> list[Box]:
    """The drawn point and its interval."""
    half = MARK * unit
    x, y, low, high = _pixels(axes, point)
    return [(x - half, y - half, x + half, y + half), (x - half / 2, low, x + half / 2, high)]


def _line(axes: Axes, ends: Box) -> Box:
    (left, bottom), (right, top) = axes.transData.transform((ends[:2], ends[2:]))
    return min(left, right) - 1, min(bottom, top) - 1, max(left, right) + 1, max(bottom, top) + 1


def _box(extent: object) -> Box:
    left, bottom, right, top = (float(getattr(extent, side)) for side in ("x0", "y0", "x1", "y1"))
    return left, bottom, right, top
