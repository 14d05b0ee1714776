"""The hashing tokenizer at work."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from tasks.text.tokenizer import TextEncoder

PAD, EMPTY, FIRST = 0, 1, 2
_WORD = re.compile(r"\w+|[^\w\s]")


class HashingEncoder(TextEncoder):
    """Id 0 pads, id 1 stands for a text or word without any token and before each of two texts, words follow."""

    def __init__(self, buckets: int, max_tokens: int) -> None:
        self.vocabulary_size = buckets + FIRST
        self.pad_id = PAD
        self.mark_ids = frozenset(range(FIRST))
        self.joints = ((EMPTY,), (EMPTY,), ())
        self.max_tokens = max_tokens
        self._buckets = buckets
        self._known: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text's words."""
        return [[self._id(word) for word in _WORD.findall(text.lower())[: self.max_tokens]] or [EMPTY] for text in texts]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
        """One id per word: a word is hashed whole."""
        encoded = []
        for words in sentences:
            kept = words[: self.max_tokens]
            encoded.append(([self._id(word.lower()) for word in kept] or [EMPTY], list(range(len(kept))) or [-1]))
        return encoded

    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        """Words and signs."""
        found = list(_WORD.finditer(text))
        return [self._id(word.group().lower()) for word in found], [word.end() for word in found]

    def _id(self, word: str) -> int:
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = FIRST + zlib.crc32(word.encode()) % self._buckets
        return found
