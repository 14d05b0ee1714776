"""The agreement of metrics as pictures: the correlation matrix, and every coefficient with its interval beside what could be shown at all."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tasks.comparison.agreement import LEVEL, NAMES, SYMBOLS, decimals, named, pair_of
from tasks.comparison.comparison import Comparison
from tasks.comparison.correlation import Alignment, Cell, Correlations
from tasks.comparison.drawing import LINE, Plot, plain, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORRELATIONS = "correlations"
"""The section of the report in which these stand."""
INK, PALE, FAINT = "#111827", "#f3f4f6", "#6b7280"
LOW, MIDDLE, HIGH = (180, 83, 9), (255, 255, 255), (29, 78, 216)
"""Ends of the colours in red, green and blue: brown below 0 and blue above are told apart by every eye."""
WRAP = 16
STARRED = "*"

Matrix = Mapping[tuple[str, str], Cell]


def correlation_plots(comparison: Comparison) -> list[Plot]:
    """The matrix, and the forest of its coefficients; none where no pair was asked for."""
    found = comparison.correlations
    if found is None or not found.leading():
        return []
    name = NAMES[found.methods[0]]
    symbol = SYMBOLS[found.methods[0]]
    across, up = _sides(found.leading())
    matrix_note = (
        f"Each cell holds {symbol} over n models, turned so that larger values of both metrics are more bias. Blue is above 0, brown below. {STARRED} and "
        f"a thick frame: p at most {LEVEL:g} after correction. Grey and hatched: the interval covers 0. Dashed: no number; the table has the reason."
    )
    forest_note = (
        "Thick line: 95% interval by Fisher's z; thin line below it: 95% bootstrap interval over models, of Pearson's r from 10 models on. Small bars: "
        f"{symbol} without each family in turn. Dashed lines: the smallest significant {symbol}, either way; so few models cannot tell from 0 what lies "
        "between them. Hollow: the interval covers 0."
    )
    return [
        Plot(f"{name} over {found.n_models} models, {up} by {across} metrics", matrix(found), matrix_note, section=CORRELATIONS),
        Plot(f"{name} with intervals and the power line", forest(found), forest_note, section=CORRELATIONS),
    ]


def _sides(cells: Sequence[Cell]) -> tuple[str, str]:
    """What stands in columns and in rows."""
    firsts, seconds = ({getattr(cell, name) for cell in cells} for name in ("first", "second"))
    return ("all", "all") if firsts & seconds else ("intrinsic", "extrinsic")


def matrix(found: Correlations) -> str:
    """One panel per alignment, one below the other: a row per extrinsic metric and a column per intrinsic one."""
    from matplotlib.figure import Figure

    cells = found.leading()
    columns, rows = ([*dict.fromkeys(getattr(cell, name) for cell in cells)] for name in ("first", "second"))
    panels = [alignment for alignment in found.alignment if any(cell.alignment == alignment for cell in cells)]
    width, height = 2.6 + 1.12 * len(columns), (1.6 + 0.62 * len(rows)) * len(panels)
    made = Figure(figsize=(max(5.0, width), height), layout="constrained")
    made.get_layout_engine().set(h_pad=0.12)  # type: ignore[union-attr, call-arg]
    for axes, alignment in zip(made.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        _panel(axes, {(cell.first, cell.second): cell for cell in cells if cell.alignment == alignment}, columns, rows, alignment, found)
    return svg(made)


def _panel(axes: Axes, cells: Matrix, columns: Sequence[str], rows: Sequence[str], alignment: Alignment, found: Correlations) -> None:
    for (first, second), cell in cells.items():
        _draw_cell(axes, columns.index(first), rows.index(second), cell)
    if alignment == "aligned" and "original" in found.alignment:
        for first in columns:
            for second in rows:
                if (first, second) not in cells and any((cell.first, cell.second) == (first, second) for cell in found.leading()):
                    axes.text(columns.index(first), rows.index(second), "as in\noriginal", ha="center", va="center", fontsize=7, color=FAINT)
    across, up = _sides(found.leading())
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), [_wrapped(name) for name in columns], fontsize=8)
    axes.set_yticks(range(len(rows)), [_wrapped(name) for name in rows], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"{across} metrics" if across == "all" else f"{across} metrics (of the representation)", fontsize=9)
    axes.set_ylabel(f"{up} metrics", fontsize=9)
    axes.set_title(f"{NAMES[found.methods[0]]}, {alignment} metrics", fontsize=10, loc="left")


def _draw_cell(axes: Axes, x: int, y: int, cell: Cell) -> None:
    """Its colour, frame and hatching, and the number in words: nothing is said by colour alone."""
    from matplotlib.patches import Rectangle

    if cell.value is None:
        axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor="white", edgecolor=FAINT, linestyle="--", linewidth=0.8))
        axes.text(x, y, f"{'undefined' if cell.status == 'undefined' else 'refused'}\nn = {cell.n}", ha="center", va="center", fontsize=7, color=FAINT)
        return
    face, ink = (PALE, INK) if cell.covers_zero else colours(cell.value)
    shown = cell.p_adjusted is not None and cell.p_adjusted <= LEVEL
    axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=face, edgecolor="none"))
    if cell.covers_zero:
        axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor="none", edgecolor="#d1d5db", hatch="///", linewidth=0))
    axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor="none", edgecolor=INK if shown else LINE, linewidth=2.2 if shown else 0.6))
    box = {"facecolor": face, "edgecolor": "none", "pad": 1.2}
    axes.text(x, y - 0.1, f"{decimals(cell.value)}{STARRED if shown else ''}", ha="center", va="center", fontsize=10, color=ink, bbox=box)
    axes.text(x, y + 0.23, f"n = {cell.n}", ha="center", va="center", fontsize=7, color=ink, bbox=box)


def colours(value: float) -> tuple[str, str]:
    """The face of a cell and the ink on it, whichever of black and white stands out more."""
    end = HIGH if value > 0 else LOW
    face = [round(middle + (far - middle) * min(1.0, abs(value))) for middle, far in zip(MIDDLE, end, strict=True)]
    light = luminance(face)
    return "#" + "".join(f"{part:02x}" for part in face), "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def luminance(colour: Sequence[int]) -> float:
    """Relative luminance of red, green and blue from 0 to 255 (WCAG 2)."""
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def forest(found: Correlations) -> str:
    """A row per pair and alignment, with the interval, the bootstrap's, each family left out, and the power line on both sides."""
    leading = found.leading()
    order = list(dict.fromkeys((cell.first, cell.second) for cell in leading))
    cells = sorted(leading, key=lambda cell: order.index((cell.first, cell.second)))
    made, axes = _forest_axes(len(cells))
    above = None
    for place, cell in enumerate(cells):
        _draw_row(axes, place, cell)
        if cell.smallest_significant is not None and cell.smallest_significant != above:
            axes.text(cell.smallest_significant, place - 0.28, f" {decimals(cell.smallest_significant)}", fontsize=7, color=INK)
        above = cell.smallest_significant
    labels = [f"{pair_of(cell)}, n = {cell.n}" for cell in cells]
    axes.set_yticks(range(len(cells)), [plain(label) for label in labels], fontsize=8)
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.set_xlabel(f"{NAMES[found.methods[0]]} [95%]; dashed: the smallest significant", fontsize=9)
    return svg(made)


def _forest_axes(rows: int) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    made = Figure(figsize=(8.6, 1.0 + 0.36 * rows), layout="constrained")
    axes = made.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(-1.05, 1.05)
    axes.axvline(0, color=LINE, linewidth=1)
    return made, axes


def _draw_row(axes: Axes, y: int, cell: Cell) -> None:
    if cell.value is None:
        axes.text(0, y, "no number: undefined" if cell.status == "undefined" else "refused: too few models or families", fontsize=7, ha="center", va="center",
                  color=FAINT, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
        return
    least = cell.smallest_significant or 1.0
    axes.plot([-least, -least], [y - 0.5, y + 0.5], [least, least], [y - 0.5, y + 0.5], color=INK, linewidth=1, linestyle="--")
    axes.plot([cell.low or 0.0, cell.high or 0.0], [y, y], color="#1d4ed8", linewidth=2.4, solid_capstyle="butt")
    if cell.bootstrap_low is not None and cell.bootstrap_high is not None:
        axes.plot([cell.bootstrap_low, cell.bootstrap_high], [y + 0.17, y + 0.17], color="#1d4ed8", linewidth=0.9)
    left = [without.value for without in cell.without if without.value is not None]
    axes.plot(left, [y - 0.17] * len(left), linestyle="none", marker="|", markersize=6, color=FAINT)
    axes.plot([cell.value], [y], marker="o", markersize=6.5, color="#1d4ed8", markerfacecolor="white" if cell.covers_zero else "#1d4ed8")


def _wrapped(name: str) -> str:
    return plain("\n".join(textwrap.wrap(named(name), WRAP, break_long_words=True)))
