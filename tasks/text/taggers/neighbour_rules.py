"""The role of a pronoun from the words beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from tasks.text._pronoun_words import ALWAYS_OWNED, CAUSING, EITHER_NEXT, GIVING, MADE, NOT_A_NOUN, NOT_ADVERBS, OF_ONES_OWN, PREPOSITIONS
from tasks.text.tagger import Role, Span, Tagger

_BEFORE = re.compile(r"([^\W\d_][\w'\u2019-]*)[ \t]+$")
_FRIEND = re.compile(r"(\w+)[ \t]+of[ \t]+$")
_AFTER = re.compile(r"[ \t]+([\w][\w'\u2019-]*)")
LOOKED_BACK, LOOKED_ON, WORDS_ON = 40, 100, 4


class NeighbourRules(Tagger):
    """The role of her and his from the word before and the words after.

    Before a sign, the end, or a word after which no noun begins (``the``, ``in``, ``was``) it stands alone: her is an object, his is independent.
    Before other words it is a determiner. Not clear, and so left alone: after verbs of seeing, making and giving (``saw her duck``, ``gave her books``)
    unless the next word can only be owned (``her mother``, ``her film debut``), before an adverb in -ly, before ``back`` and its like, and ``his and``.
    """

    kind: Literal["neighbour-rules"]

    def roles(self, text: str, places: Sequence[Span]) -> list[Role | None]:
        """Each for itself."""
        return [self._role(text, start, end) for start, end in places]

    def _role(self, text: str, start: int, end: int) -> Role | None:
        is_her = text[start:end].lower() == "her"
        alone: Role = "object" if is_her else "independent"
        following = self._following(text, end)
        if not following:
            return None if text[end : end + 1] in ("-", "'", "\u2019", "/") or text[end : end + 2] in (' "', " “", " (", " @") else alone
        after = following[0]
        if after in NOT_A_NOUN:
            return None if after in ("and", "or") and not is_her else alone
        if after in EITHER_NEXT:
            return None
        before = self._preceding(text, start)
        if after.endswith("ly") and after not in NOT_ADVERBS:
            return "determiner" if before in PREPOSITIONS else None
        if before == "of" and not is_her and self._of_ones_own(text, start):
            return None
        if before in GIVING or before in CAUSING:
            made = before in CAUSING and any(word in MADE for word in following)
            return "determiner" if after in ALWAYS_OWNED or made else None
        return "determiner"

    @staticmethod
    def _preceding(text: str, start: int) -> str:
        found = _BEFORE.search(text[max(0, start - LOOKED_BACK) : start])
        return found.group(1).lower() if found else ""

    @staticmethod
    def _of_ones_own(text: str, start: int) -> bool:
        found = _FRIEND.search(text[max(0, start - LOOKED_BACK) : start])
        return found is not None and found.group(1).lower() in OF_ONES_OWN

    @staticmethod
    def _following(text: str, end: int) -> list[str]:
        """Up to four words after a place, as far as only blanks are between."""
        rest, place = text[end : end + LOOKED_ON], 0
        words: list[str] = []
        while len(words) < WORDS_ON and (found := _AFTER.match(rest, place)):
            words.append(found.group(1).lower())
            place = found.end()
        return words
