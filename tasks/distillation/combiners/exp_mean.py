"""The mean of probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.distillation.combiner import Combiner

if TYPE_CHECKING:
    from torch import Tensor


class ExpMean(Combiner):
    """The logarithm of the mean of exponentials: of log-probabilities, the mean of the two distributions."""

    kind: Literal["exp-mean"]

    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """``log(e^own + e^other)``: the halves of both fall to the normalisation."""
        return own.logaddexp(other)
