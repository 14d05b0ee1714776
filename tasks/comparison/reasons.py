"""Reasons why numbers are doubted or missing, said once where they are alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

DETAILS = re.compile(r" \([^()]*\)$")
"""Numbers at the end of a reason, which differ from seed to seed."""


def merged(reasons: Iterable[str]) -> list[str]:
    """The reasons, sorted; those that differ in nothing but a bracket at their end are one, without it."""
    found: dict[str, set[str]] = {}
    for reason in reasons:
        found.setdefault(DETAILS.sub("", reason), set()).add(reason)
    return sorted(next(iter(alike)) if len(alike) == 1 else stem for stem, alike in found.items())
