"""A linear classifier of hashed words and word pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.models.model import Architecture, TaskShape

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class Linear(Architecture):
    """Multinomial logistic regression on the mean of hashed unigrams and bigrams. Small, fast, hard to beat on short texts."""

    tasks: ClassVar[tuple[str, ...]] = ("intent",)

    kind: Literal["linear"]
    bigram_buckets: int = Field(default=16384, ge=0, le=1 << 24, description="Buckets for pairs of neighbouring words; 0 for none.")

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network; its weights begin at zero."""
        from tasks.models._linear import LinearNetwork

        return LinearNetwork(encoder.vocabulary_size, encoder.pad_id, self.bigram_buckets, len(shape.labels))
