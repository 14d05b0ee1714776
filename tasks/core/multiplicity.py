"""Correction of p for many tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p of a family of tests (Holm 1979): the i-th smallest of m, from 0, counts m - i times, and none less than one before it."""
    adjusted, highest = [0.0] * len(p), 0.0
    for place, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p of a family of tests (Benjamini and Hochberg 1995): the i-th smallest of m, from 1, counts m / i times, and none more than one after it."""
    adjusted, lowest = [0.0] * len(p), 1.0
    for place, index in reversed(list(enumerate(sorted(range(len(p)), key=p.__getitem__), start=1))):
        lowest = min(lowest, p[index] * len(p) / place)
        adjusted[index] = lowest
    return adjusted
