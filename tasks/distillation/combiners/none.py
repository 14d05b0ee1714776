"""The teacher as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.distillation.combiner import Combiner

if TYPE_CHECKING:
    from torch import Tensor


class Plain(Combiner):
    """What the teacher says after the text: plain distillation."""

    reads_reversal: ClassVar[bool] = False
    symmetric: ClassVar[bool] = False

    kind: Literal["none"]

    def combine(self, own: Tensor, other: Tensor) -> Tensor:
        """The own distribution."""
        return own
