"""The axis of epsilon: logarithmic, marked at the arms' own epsilons, with the arms that have none apart at its right end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.comparison.drawing import LINE
from tasks.comparison.tradeoff import NO_PRIVACY
from tasks.privacy.account import rounded_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SPAN = 0.5
"""Decades that the axis has at least, so that a single epsilon does not stand at both ends."""
DIVIDER, APART = 0.17, 0.33
"""Where the dashed line and the arms without epsilon stand beyond the largest one, as parts of the span."""
STEP, WIDEST = 0.05, 0.2
"""Between arms of one epsilon, which stand side by side, and of all of them together."""
NEAREST_TICKS = 0.07


@dataclass(frozen=True)
class Budgets:
    """Where arms stand on the axis, which is drawn in decades.

    Args:
        x: the place of each arm.
        ticks: the places with their text, ``3`` or ``no privacy``.
        ends: of the axis.
        divider: where the dashed line stands; None where every arm has an epsilon.
        span: decades from the least to the largest epsilon.
        beside: whether some arms of one epsilon stand side by side.
    """

    x: Mapping[str, float]
    ticks: tuple[tuple[float, str], ...]
    ends: tuple[float, float]
    divider: float | None
    span: float
    beside: bool

    def draw(self, axes: Axes) -> None:
        """Give the axes this axis."""
        axes.set_xlim(*self.ends)
        axes.set_xticks([place for place, _ in self.ticks], [text for _, text in self.ticks])
        if self.divider is not None:
            axes.axvline(self.divider, color=LINE, linestyle=(0, (4, 4)), linewidth=1)


def budgets(epsilons: Mapping[str, float], without: str = "no privacy") -> Budgets:
    """The axis for arms with these epsilons, of which at least one is finite; ``without`` names the others."""
    finite = [epsilon for epsilon in epsilons.values() if epsilon != NO_PRIVACY]
    low, high = math.log10(min(finite)), math.log10(max(finite))
    span = max(high - low, LEAST_SPAN)
    alike: dict[str, list[str]] = defaultdict(list)
    for arm, epsilon in epsilons.items():
        alike[without if epsilon == NO_PRIVACY else rounded_up(epsilon)].append(arm)
    middle = {text: high + APART * span if text == without else math.log10(epsilons[arms[0]]) for text, arms in alike.items()}
    x = {arm: middle[text] + shift * span for text, arms in alike.items() for arm, shift in zip(arms, _side_by_side(len(arms)), strict=True)}
    right = (APART if without in alike else 0.0) + max(0.1, WIDEST if without in alike else 0.0)
    ticks = _spaced(sorted((place, text) for text, place in middle.items()), NEAREST_TICKS * span)
    beside = len(alike) < len(epsilons)
    return Budgets(x, tuple(ticks), (low - 0.1 * span, high + right * span), high + DIVIDER * span if without in alike else None, span, beside)


def _side_by_side(number: int) -> list[float]:
    step = min(STEP, WIDEST / number)
    return [step * (index - (number - 1) / 2) for index in range(number)]


def _spaced(ticks: Sequence[tuple[float, str]], least: float) -> list[tuple[float, str]]:
    """The ticks whose texts do not run into the one before."""
    kept: list[tuple[float, str]] = []
    for place, text in ticks:
        if not kept or place - kept[-1][0] >= least:
            kept.append((place, text))
    return kept
