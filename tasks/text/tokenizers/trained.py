"""A byte-level BPE vocabulary learnt on a declared corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.text.tokenizer import TextEncoder, Tokenizer


class Trained(Tokenizer):
    """Byte-level BPE (Sennrich et al., ACL 2016) fitted on the training text of a corpus, in a step of its own. Invertible.

    The vocabulary tells what the corpus says: declare a public one, or every number is labelled.
    """

    needs_corpus: ClassVar[bool] = True
    spelled: ClassVar[bool] = True

    kind: Literal["trained"]
    corpus: Annotated[Dataset, OneOf(DATASETS)] = Field(description="Public data whose training text the vocabulary is learnt on.")
    vocabulary: int = Field(default=8000, ge=300, le=1_000_000, description="Size of the vocabulary.")

    def build(self, fitted: Path | None) -> TextEncoder:
        """The encoder. Raises ValueError without a fitted folder."""
        from tasks.text._huggingface import FastEncoder

        if fitted is None:
            raise ValueError("a trained tokenizer needs the folder of its fitted vocabulary")
        return FastEncoder.from_file(fitted / "tokenizer.json", self.max_tokens)
