"""The Pareto front: the arms that no other arm beats in privacy, utility and fairness together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.comparison.columns import Column
from tasks.comparison.comparison import EPSILON, Comparison
from tasks.comparison.tradeoff import NO_PRIVACY, doubts, left_out_words, placed, tradeoff
from tasks.privacy.account import rounded_up


@dataclass(frozen=True)
class Front:
    """The Pareto front of a study's arms by their means.

    Args:
        metrics: the names of the columns that are weighed.
        best: the arms on the front.
        dominated: each other arm, with the arms on the front that dominate it.
        left_out: arms that lack a number, with the reason.
        unbounded: whether some arm has no privacy, which counts as infinite epsilon.
        doubts: which numbers are confounded, in words; empty where none is.
    """

    metrics: tuple[str, ...]
    best: tuple[str, ...]
    dominated: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]
    unbounded: bool
    doubts: str = ""

    @property
    def heading(self) -> str:
        """What is weighed and how it was judged."""
        return f"Pareto front over ({', '.join(self.metrics)}), by means{' (no privacy: infinite epsilon)' if self.unbounded else ''}"

    @property
    def beaten(self) -> list[str]:
        """``eps-8 (by eps-3)``: each dominated arm, by whom."""
        return [f"{arm} (by {_first(by)})" for arm, by in self.dominated.items()]

    @property
    def remarks(self) -> str:
        """Who is left out and why, and which numbers are confounded; empty where there is nothing to say."""
        return " ".join(part for part in (left_out_words(self.left_out), self.doubts) if part)

    @property
    def sentence(self) -> str:
        """All of it in words."""
        return f"{self.heading}: {', '.join(self.best)}. Dominated: {', '.join(self.beaten) or 'none'}. {self.remarks}".rstrip()


def pareto(comparison: Comparison, found: Sequence[Column]) -> Front | None:
    """The front over epsilon, utility and the difference between groups, as far as they are measured.

    None where no arm has an epsilon, nothing but epsilon is measured, or fewer than two arms can be compared.
    """
    weighed = tradeoff(comparison, found)
    if weighed is None or len(weighed.columns) < 2:
        return None
    return front(comparison, weighed.columns)


def front(comparison: Comparison, across: Sequence[Column]) -> Front | None:
    """The front over some columns; None where fewer than two arms have a number in each of them, or none of these has an epsilon."""
    at = placed(comparison, across)
    bounded = [place for place in at.places.values() if NO_PRIVACY not in place]
    if len(at.places) < 2 or not bounded:
        return None
    signs = [-1 if _higher_is_better(comparison, column) else 1 for column in across]
    costs = {arm: [sign * _judged(column, value) for sign, column, value in zip(signs, across, place, strict=True)] for arm, place in at.places.items()}
    best, dominated = dominance(costs)
    unbounded = len(bounded) < len(at.places)
    return Front(tuple(column.name for column in across), best, dominated, at.left_out, unbounded, doubts(comparison, list(at.places), across))


def dominance(costs: Mapping[str, Sequence[float]]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Who is not dominated, and by whom of these the others are. Less is better in each number; arms that are equal do not dominate each other."""
    best = tuple(arm for arm, mine in costs.items() if not any(_dominates(other, mine) for other in costs.values()))
    return best, {arm: tuple(by for by in best if _dominates(costs[by], mine)) for arm, mine in costs.items() if arm not in best}


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def _judged(column: Column, value: float) -> float:
    """Epsilon as it is guaranteed, rounded up to three digits: beyond them two calibrations to one target differ by no choice."""
    return float(rounded_up(value)) if column.metric == EPSILON else value


def _higher_is_better(comparison: Comparison, column: Column) -> bool:
    return any(value.direction == "higher" for value in column.measured(comparison).values())


def _first(names: Sequence[str]) -> str:
    others = len(names) - 1
    return names[0] + (f" and {others} {'other' if others == 1 else 'others'}" if others else "")
