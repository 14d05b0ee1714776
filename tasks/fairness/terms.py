"""Words that name a group of people, and the words of other groups that may stand in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tasks.text.gender_words import BY_ROLE, PAIRS, PERSONS

Named = Literal["gender", "identities", "synthetic"]
TermSet = tuple[str, ...]
"""Interchangeable words: the same part of speech and number, one for each group."""

IDENTITIES: tuple[TermSet, ...] = (
    ("christian", "muslim", "jewish", "buddhist", "hindu", "catholic", "protestant"),
    ("christians", "muslims", "jews", "buddhists", "hindus", "catholics", "protestants"),
    ("christianity", "islam", "judaism", "buddhism", "hinduism"),
    ("white", "black", "asian", "hispanic", "arab", "african", "european", "mexican", "indian", "chinese"),
    ("whites", "blacks", "asians", "hispanics", "arabs", "africans", "europeans", "mexicans", "indians"),
    ("gay", "lesbian", "bisexual", "homosexual", "heterosexual", "queer", "transgender"),
    ("gays", "lesbians", "bisexuals", "homosexuals", "heterosexuals"),
    ("immigrant", "refugee", "citizen"),
    ("immigrants", "refugees", "citizens"),
    *PERSONS,
)
"""Names that are no insults: a slur has no counterpart that ought to be judged alike."""
UNCLEAR = tuple(word for words in BY_ROLE for word in words)
"""Their partner depends on the sentence: a text with one of them has no counterpart here."""


@dataclass(frozen=True)
class Terms:
    """Sets of interchangeable words, and words whose texts are left out."""

    sets: tuple[TermSet, ...]
    excluded: tuple[str, ...] = ()

    def spans(self, text: str) -> list[tuple[int, int]]:
        """[start, end) in characters of each term of a text: whole words, longest first, whatever their case."""
        return [found.span() for found in self._pattern.finditer(text)]

    def excludes(self, text: str) -> bool:
        """Whether a text holds a word whose counterpart is unclear."""
        return self._left_out is not None and self._left_out.search(text) is not None

    def counterparts(self, text: str, most: int) -> list[str]:
        """The text with every term replaced by another of its set, each variant by the next one, ``most`` at most; none where it has no term.

        Terms of one set change in step, so that two that differ stay different. The case of a first letter, and of a whole word, is kept.
        """
        found = list(self._pattern.finditer(text))
        if not found or self.excludes(text):
            return []
        places = [self._places[match.group(0).lower()] for match in found]
        variants = min(most, max(len(self.sets[number]) for number, _ in places) - 1)
        return ["".join(self._pieces(text, found, places, shift)) for shift in range(1, variants + 1)]

    def _pieces(self, text: str, found: Sequence[re.Match[str]], places: Sequence[tuple[int, int]], shift: int) -> Iterator[str]:
        end = 0
        for match, (number, member) in zip(found, places, strict=True):
            words = self.sets[number]
            step = 1 + (shift - 1) % (len(words) - 1)
            yield text[end : match.start()]
            yield _cased(match.group(0), words[(member + step) % len(words)])
            end = match.end()
        yield text[end:]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _whole(list(self._places))

    @cached_property
    def _left_out(self) -> re.Pattern[str] | None:
        return _whole(self.excluded) if self.excluded else None

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Each word's set, and its place there; the first set of a word in two."""
        return {word: (number, place) for number, words in reversed(list(enumerate(self.sets))) for place, word in reversed(list(enumerate(words)))}


def terms(named: Named | tuple[TermSet, ...], excluded: tuple[str, ...] = ()) -> Terms:
    """The terms of a name, or one's own. ``excluded`` are further words whose texts are left out."""
    if named == "gender":
        return Terms(PAIRS, (*UNCLEAR, *excluded))
    if named == "identities":
        return Terms(IDENTITIES, excluded)
    if named == "synthetic":
        from tasks.data._stereotype_words import SUBJECTS

        return Terms(SUBJECTS, excluded)
    assert not isinstance(named, str)
    return Terms(tuple(tuple(word.lower() for word in words) for words in named), excluded)


def _whole(words: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


def _cased(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if model[:1].isupper() else word
