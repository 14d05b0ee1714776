"""The teacher on the reversed text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.distillation.combiner import Combiner

if TYPE_CHECKING:
    from torch import Tensor


class Swap(Combiner):
    """What the teacher says after the reversed text."""

    symmetric: ClassVar[bool] = False

    kind: Literal["swap"]

    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """The other distribution."""
        return other
