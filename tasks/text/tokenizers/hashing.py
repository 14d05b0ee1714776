"""Words hashed to buckets: nothing is learnt, so nothing leaks through a vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tasks.text.tokenizer import TextEncoder, Tokenizer


class Hashing(Tokenizer):
    """Lower-cased words and punctuation marks, each hashed to one of ``buckets`` ids (CRC-32). Default of classifiers."""

    kind: Literal["hashing"]
    buckets: int = Field(default=8192, ge=16, le=1 << 24, description="Ids that words may fall on.")
    max_tokens: int = Field(default=32, ge=2, le=8192, description="Longest sequence; the rest is cut. A public number.")

    def build(self, fitted: Path | None) -> TextEncoder:
        """The encoder."""
        from tasks.text._hashing import HashingEncoder

        return HashingEncoder(self.buckets, self.max_tokens)
