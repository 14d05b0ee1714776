"""Units: whose presence a guarantee hides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family
from tasks.privacy.sampler import Examples

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.privacy.sharing import Sharing


class Unit(Component, ABC):
    """Base of every unit of privacy."""

    level: ClassVar[str]
    """As it is written beside an epsilon: ``example-level``."""

    @abstractmethod
    def examples(self, records: Tensor, users: Tensor | None) -> Examples:
        """Whose the examples are, from the record (N,) and, where the data names them, the user (N,) of each."""

    @abstractmethod
    def sharing(self, examples: Examples) -> Sharing | None:
        """Which examples of a step are clipped as one; None: each by itself."""


UNITS = Family("unit", "tasks.privacy.units", Unit)
