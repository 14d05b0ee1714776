"""Book-keeping, ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import nn

    from tasks.privacy.clip_rule import Bound


class BookKeeping(Engine):
    """One forward and one backward pass: norms from what layers read and the gradients of what they said, the sum as one weighted product per layer
    (Bu, Wang, Zha and Karypis, ICML 2023). Weights that layers share are clipped once; a layer of a kind that it does not know gives its own
    gradients example by example.
    """

    copies: ClassVar[bool] = False
    recomputes: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    kind: Literal["book-keeping"]

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """Hooks on every layer with trained weights."""
        from tasks.privacy.engines._book_keeping import BookKeepingClipper

        return BookKeepingClipper(network, rule)
