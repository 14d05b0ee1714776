"""Tokenizers: from text to ids, and what a model must know of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tasks.core.component import Component, Family


class TextEncoder(ABC):
    """A tokenizer at work.

    Attributes:
        vocabulary_size: ids run from 0 below this.
        pad_id: id of padding.
        max_tokens: longest sequence.
        mask_id: id that stands for a hidden token, or None.
        mark_ids: ids that stand for no text: padding, begin, end, mask.
        head, tail: ids before each window of a text for a language model, and after a text's last token.
        joints: ids before, between and after two texts in one sequence.
    """

    vocabulary_size: int
    pad_id: int
    max_tokens: int
    mask_id: int | None = None
    mark_ids: frozenset[int] = frozenset()
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()
    joints: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] = ((), (), ())

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, cut at ``max_tokens``; never empty."""

    @abstractmethod
    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
        """For tagging: ids of each sentence, and for each id the index of the word it begins, or -1 within and around words."""

    @abstractmethod
    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        """The whole text's ids without marks, never cut, and at which character each ends."""

    def windows(self, text: str) -> list[list[int]]:
        """For language models: the whole text as consecutive windows of at most ``max_tokens`` ids, marks included; none where there is no text."""
        return self.cut(self.pieces(text)[0])

    def cut(self, ids: Sequence[int]) -> list[list[int]]:
        """The windows of a whole text's ids."""
        if not ids:
            return []
        size = self.max_tokens - len(self.head)
        whole = [*ids, *self.tail]
        return [[*self.head, *whole[start : start + size]] for start in range(0, len(whole), size)]

    def pair(self, first: str, second: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Two texts in one sequence of at most ``max_tokens`` ids, and for each id its first character of the second text and the one after its last,
        blanks left out; -1 for marks and for the first text. The first text is cut to half of the sequence, the second to what is left.
        """
        before, between, after = self.joints
        asked = self.pieces(first)[0][: max(1, self.max_tokens // 2 - len(before))]
        ids, ends = self.pieces(second)
        room = max(0, self.max_tokens - len(before) - len(asked) - len(between) - len(after))
        nowhere = [(-1, -1)]
        spans = [_trimmed(second, begin, end) for begin, end in zip([0, *ends], ends[:room], strict=False)]
        found = [*before, *asked, *between, *ids[:room], *after]
        return found, [*nowhere * (len(before) + len(asked) + len(between)), *spans, *nowhere * len(after)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids. Raises TypeError for a tokenizer that cannot be inverted."""
        raise TypeError(f"{type(self).__name__} cannot be inverted")

    def spellings(self) -> list[str]:
        """The text of each id, with a blank before it where it begins a word, and none of a mark. Raises TypeError where ids are not pieces of text."""
        raise TypeError(f"the ids of {type(self).__name__} are not spelled")

    def save(self, folder: Path) -> None:
        """Write what was learnt, for tokenizers that learn."""


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """A part of a text without the blanks around it."""
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    return begin, end


class Tokenizer(Component, ABC):
    """Base of every tokenizer block."""

    needs_corpus: ClassVar[bool] = False
    spelled: ClassVar[bool] = False
    """Whether each id is a word or a part of a word, so that its encoder has ``spellings``."""

    max_tokens: int = Field(default=64, ge=2, le=8192, description="Longest sequence; the rest is cut. A public number.")

    @abstractmethod
    def build(self, fitted: Path | None) -> TextEncoder:
        """The encoder; ``fitted`` is the folder of what was learnt, for tokenizers that learn."""


TOKENIZERS = Family("tokenizer", "tasks.text.tokenizers", Tokenizer)
