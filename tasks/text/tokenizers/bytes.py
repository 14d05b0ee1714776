"""UTF-8 bytes: nothing is learnt, and every text comes back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tasks.text.tokenizer import TextEncoder, Tokenizer


class Bytes(Tokenizer):
    """One id per byte, with begin and end marks. Invertible. Default of causal models."""

    kind: Literal["bytes"]
    max_tokens: int = Field(default=256, ge=4, le=8192, description="Longest sequence in bytes, marks included. A public number.")

    def build(self, fitted: Path | None) -> TextEncoder:
        """The encoder."""
        from tasks.text._bytes import BytesEncoder

        return BytesEncoder(self.max_tokens)
