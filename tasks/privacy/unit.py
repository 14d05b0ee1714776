"""Units: whose presence a guarantee hides."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from tasks.core.component import Component, Family


class Unit(Component, ABC):
    """Base of every unit of privacy."""

    level: ClassVar[str]
    """As it is written beside an epsilon: ``example-level``."""


UNITS = Family("unit", "tasks.privacy.units", Unit)
