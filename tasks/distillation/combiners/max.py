"""The larger log-probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tasks.distillation.combiner import Combiner

if TYPE_CHECKING:
    from torch import Tensor


class Max(Combiner):
    """Of each token the larger of the two log-probabilities, normalised."""

    kind: Literal["max"]

    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """Elementwise."""
        return own.maximum(other)
