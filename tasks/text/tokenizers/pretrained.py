"""The tokenizer that a published model was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from tasks.core.component import unkeyed
from tasks.core.roots import check_source
from tasks.text.tokenizer import TextEncoder, Tokenizer

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "*.model")


class Pretrained(Tokenizer):
    """A Hugging Face fast tokenizer from a folder or a hub name."""

    spelled: ClassVar[bool] = True

    kind: Literal["pretrained"]
    source: str = unkeyed(description="Folder of a tokenizer, or a hub name such as distilbert-base-uncased.")
    revision: str = Field(default="main", description="Branch, tag or commit of a hub name.")

    @model_validator(mode="after")
    def _readable(self, info: ValidationInfo) -> Pretrained:
        check_source(self.source, info)
        return self

    def content_digest(self) -> str:
        """Digest of the tokenizer's file, or the hub's name and commit."""
        from tasks.text.hub import source_digest

        return source_digest(self.source, self.revision, FILES)

    def build(self, fitted: Path | None) -> TextEncoder:
        """The encoder, from a saved model's folder or from the source. Raises HubError where there is no fast tokenizer."""
        from tasks.text._huggingface import FastEncoder

        if fitted is not None and (fitted / "tokenizer.json").exists():
            return FastEncoder.from_file(fitted / "tokenizer.json", self.max_tokens)
        return FastEncoder.from_source(self.source, self.revision, self.max_tokens)
