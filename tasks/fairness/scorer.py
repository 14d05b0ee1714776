"""Scorers: a number for each text that a model wrote."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tasks.core.component import Component, Family
from tasks.core.measures import Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Scorer(Component, ABC):
    """Base of every scorer.

    Class facts: ``name`` in metrics' names, ``lowest`` and ``highest`` of a score.
    """

    name: ClassVar[str] = ""
    lowest: ClassVar[float] = -1.0
    highest: ClassVar[float] = 1.0

    @property
    def named(self) -> str:
        """The scorer in metrics' names."""
        return type(self).name

    def needs(self) -> tuple[Need, ...]:
        """What must be made before texts are scored."""
        return ()

    @abstractmethod
    def score(self, texts: Sequence[str], needed: Mapping[str, Path], report: Any) -> Floats:
        """(N,) of each text."""


SCORERS = Family("scorer", "tasks.fairness.scorers", Scorer)
