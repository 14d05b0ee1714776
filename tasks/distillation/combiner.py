"""Combiners: from what a teacher says after a text and after its reversal to what a student learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from torch import Tensor


class Combiner(Component, ABC):
    """Base of every combiner.

    ``reads_reversal`` says whether the reversal matters at all; ``symmetric`` whether text and reversal may change places.
    """

    reads_reversal: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True

    @abstractmethod
    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """(..., V) log-probabilities after the text and after its reversal to (..., V) logarithms, which are then normalised."""


COMBINERS = Family("combiner", "tasks.distillation.combiners", Combiner)
