"""The mean of log-probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.distillation.combiner import Combiner

if TYPE_CHECKING:
    from torch import Tensor


class Mean(Combiner):
    """The mean of the log-probabilities: the normalised geometric mean of the two distributions."""

    kind: Literal["mean"]

    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """Half the sum."""
        return (own + other) / 2
