"""Conditions of numbers: in which of them some numbers differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def unlike(conditions: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of the conditions that are not the same for all, sorted; none where all numbers may be combined."""
    names = sorted({name for found in conditions for name in found})
    return [name for name in names if len({found.get(name) for found in conditions}) > 1]
