"""How long the rest of a study takes: from steps of the same shape, else from the pace of running ones, else from steps of the same name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.core.graph import Node

LEAST_SHARE = 0.02
"""A step that is less far along says nothing about its length yet."""


@dataclass
class TimeLeft:
    """Estimates seconds left, and learns from every step that ends.

    Args:
        by_shape: seconds of steps made before on this machine, by shape.
        processes: steps that run side by side.
    """

    by_shape: dict[str, float]
    processes: int
    _by_name: dict[str, list[float]] = field(default_factory=dict)
    _began: dict[str, tuple[float, float]] = field(default_factory=dict)

    def ended(self, node: Node) -> None:
        """Learn from a step that was seen running."""
        if node.key in self._began:
            seconds = time.monotonic() - self._began[node.key][0]
            self.by_shape[node.shape] = seconds
            self._by_name.setdefault(node.step.name, []).append(seconds)

    def estimate(self, missing: Sequence[Node], shares: Mapping[str, float]) -> float | None:
        """Seconds left for the missing nodes; ``shares`` is the part done of running ones. None while any has no clue."""
        whole: dict[str, float] = {}
        for node in missing:
            if node.key in shares:
                self._began.setdefault(node.key, (time.monotonic(), shares[node.key]))
                pace = self._pace(node.key, shares[node.key])
                if pace is not None:
                    whole[node.shape] = pace
        typical = {**{name: sum(seconds) / len(seconds) for name, seconds in self._by_name.items()}, **QUICK}
        left = [self._one(node, shares.get(node.key, 0.0), whole, typical) for node in missing]
        known = [seconds for seconds in left if seconds is not None]
        if len(known) < len(left):
            return None
        return max(max(known, default=0.0), sum(known) / max(1, self.processes))

    def _pace(self, key: str, share: float) -> float | None:
        """Seconds that a whole running step takes at its pace so far."""
        began, first = self._began[key]
        gained = share - first
        return (time.monotonic() - began) / gained if gained >= LEAST_SHARE else None

    def _one(self, node: Node, share: float, whole: Mapping[str, float], typical: Mapping[str, float]) -> float | None:
        seconds = whole.get(node.shape, self.by_shape.get(node.shape, typical.get(node.step.name)))
        return None if seconds is None else seconds * (1 - share)


QUICK = {"prepare": 2.0, "partition": 2.0, "predict": 1.0, "measure": 1.0, "strata": 2.0, "catch-up": 1.0}
"""Seconds of steps that are short beside a training, where none of their shape was seen."""
