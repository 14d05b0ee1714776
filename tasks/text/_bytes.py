"""The byte tokenizer at work."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.text.tokenizer import TextEncoder

PAD, BEGIN, END, MASK, FIRST = 0, 1, 2, 3, 4


class BytesEncoder(TextEncoder):
    """Ids 0 to 3 pad, begin, end and mask; byte b is id b + 4."""

    def __init__(self, max_tokens: int) -> None:
        self.vocabulary_size = 256 + FIRST
        self.pad_id = PAD
        self.mask_id = MASK
        self.mark_ids = frozenset(range(FIRST))
        self.head, self.tail = (BEGIN,), (END,)
        self.joints = ((BEGIN,), (END,), (END,))
        self.max_tokens = max_tokens

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Begin, the bytes that fit, end."""
        return [[BEGIN, *(byte + FIRST for byte in text.encode()[: self.max_tokens - 2]), END] for text in texts]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
        """Words joined by blanks; the first byte of a word carries its index."""
        return [self._words(words) for words in sentences]

    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        """Bytes; those of one character end with it."""
        spelled = [(byte + FIRST, end) for end, letter in enumerate(text, start=1) for byte in letter.encode()]
        return [index for index, _ in spelled], [end for _, end in spelled]

    def decode(self, ids: Sequence[int]) -> str:
        """The text between marks; bytes that are no UTF-8 become the replacement character."""
        return bytes(index - FIRST for index in ids if index >= FIRST).decode(errors="replace")

    def _words(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        ids, index = [BEGIN], [-1]
        for number, word in enumerate(words):
            spelled = [byte + FIRST for byte in ((" " if number else "") + word).encode()]
            if len(ids) + len(spelled) >= self.max_tokens:
                break
            start = len(ids) + (1 if number and len(spelled) > 1 else 0)
            ids += spelled
            index += [-1] * len(spelled)
            if spelled:
                index[start] = number
        return [*ids, END], [*index, -1]
