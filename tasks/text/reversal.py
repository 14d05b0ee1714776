"""Role reversal: a text told of the other group, word for word, or the reason why it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.core.errors import UserError
from tasks.text.gender_words import BY_ROLE
from tasks.text.tagger import Role, Span, Tagger

_WORD = re.compile(r"\w+")
_NOT_PART = re.compile(r"-(?!in-law|to-be|like\b)")
"""What after a word makes it part of another: ``man-made``, not ``father-in-law``."""
_BEFORE = re.compile(r"(?:^|[^\w-])(?:ex|half|step|great|grand|co|vice|then|non)-$", re.IGNORECASE)
"""What before a hyphen leaves a word itself: ``ex-wife``, not ``he-man``."""

OF_ROLE: Mapping[tuple[str, Role], str] = {
    ("her", "determiner"): "his",
    ("her", "object"): "him",
    ("his", "determiner"): "her",
    ("his", "independent"): "hers",
    ("him", "object"): "her",
    ("hers", "independent"): "his",
}
"""Counterparts that depend on the word's role."""
ALONE: Mapping[str, Role] = {"him": "object", "hers": "independent"}
"""Pronouns that have one role."""

NO_WORD, UNCLEAR, UNPAIRED, EXCLUDED = "no word of a group", "unclear pronoun", "word without a counterpart", "excluded"


class SwapError(UserError):
    """A table of words that cannot be swapped to and fro."""


@dataclass(frozen=True)
class Reversed:
    """A text's reversal.

    Args:
        text: what came of it.
        swaps: [start, end) of each swapped word in the original, in order, and the word that stands there now.
    """

    text: str
    swaps: tuple[tuple[int, int, str], ...]


class Reverser:
    """Swaps words of two groups in a text; done twice it gives the text back, or it is not done.

    Args:
        pairs: words that stand for each other, each in one pair, in small letters; case is kept (small, Capital, CAPITALS).
        pronouns: whether her, hers, his and him are swapped by their role.
        unpaired: words of a group without a counterpart: their texts have no reversal.
        excluded: whether a text with words of a group is not to be reversed.
        tagger: tells the roles of her and his.

    Attributes:
        partners: the pairs, both ways.
        pronouns: as given.

    Raises:
        SwapError: a word stands in two pairs, or for itself.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        pronouns: bool,
        unpaired: Iterable[str] = (),
        excluded: Callable[[str, Sequence[Span]], bool] | None = None,
        tagger: Tagger,
    ) -> None:
        given = tuple(pairs)
        self.partners = _involution(given)
        self._sides = {
            word.lower(): side for pair in (*given, *(zip(*BY_ROLE, strict=True) if pronouns else ())) for word, side in zip(pair, (1, -1), strict=True)
        }
        self.pronouns = pronouns
        self._tagger, self._excluded = tagger, excluded
        self._partner = {form: _cased(form, word) for own, word in self.partners.items() for form in _forms(own)}
        self._pronouns = frozenset(form for words in BY_ROLE for word in words for form in _forms(word)) if pronouns else frozenset()
        self._unpaired = frozenset(form for word in unpaired if word not in self.partners for form in _forms(word))
        self._known = frozenset(self._partner) | self._pronouns | self._unpaired

    def reverse(self, text: str) -> Reversed | str:
        """The reversal, or why there is none: one of the four reasons of this module."""
        if self._known.isdisjoint(_WORD.findall(text)):
            return NO_WORD
        places = self._places(text)
        if not places:
            return NO_WORD
        if self._excluded is not None and self._excluded(text, places):
            return EXCLUDED
        if any(text[start:end] in self._unpaired for start, end in places):
            return UNPAIRED
        roles = self._roles(text, places)
        swaps = [(start, end, self._counterpart(text[start:end], role)) for (start, end), role in zip(places, roles, strict=True)]
        if any(word is None for _, _, word in swaps):
            return UNCLEAR
        made = Reversed(swapped(text, swaps), tuple(swaps))  # type: ignore[arg-type]
        return made if self._returns(text, made) else UNCLEAR

    def lean(self, text: str) -> int:
        """How many more words of the first group than of the second a text has; of pairs as they were given, and of her and hers against his and him."""
        return sum(self._sides.get(text[start:end].lower(), 0) for start, end in self._places(text))

    def _places(self, text: str) -> list[Span]:
        return [found.span() for found in _WORD.finditer(text) if found.group() in self._known and _stands_alone(text, *found.span())]

    def _roles(self, text: str, places: Sequence[Span]) -> list[Role | None]:
        """None for words that have no role, and for pronouns of an unclear one."""
        asked = [place for place in places if text[place[0] : place[1]] in self._pronouns and text[place[0] : place[1]].lower() not in ALONE]
        told = dict(zip(asked, self._tagger.roles(text, asked), strict=True)) if asked else {}
        return [told.get(place, ALONE.get(text[place[0] : place[1]].lower())) for place in places]

    def _counterpart(self, word: str, role: Role | None) -> str | None:
        if word not in self._pronouns:
            return self._partner[word]
        found = None if role is None else OF_ROLE.get((word.lower(), role))
        return None if found is None else _cased(word, found)

    def _returns(self, text: str, made: Reversed) -> bool:
        """Whether the reversal's reversal is the text: her may be read another way where his stood."""
        places = self._places(made.text)
        if len(places) != len(made.swaps) or (self._excluded is not None and self._excluded(made.text, places)):
            return False
        roles = self._roles(made.text, places)
        back = [(start, end, self._counterpart(made.text[start:end], role) or "") for (start, end), role in zip(places, roles, strict=True)]
        return swapped(made.text, back) == text


def swapped(text: str, swaps: Sequence[tuple[int, int, str]]) -> str:
    """A text with other words at [start, end), which are in order."""
    pieces, done = [], 0
    for start, end, word in swaps:
        pieces += [text[done:start], word]
        done = end
    return "".join([*pieces, text[done:]])


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a word is no part of a compound."""
    if text[end : end + 1] == "-" and _NOT_PART.match(text, end) and text[end + 1 : end + 2].isalnum():
        return False
    return not (text[start - 1 : start] == "-" and start > 1 and text[start - 2].isalnum() and not _BEFORE.search(text[max(0, start - 8) : start]))


def _involution(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    partners: dict[str, str] = {}
    for one, other in pairs:
        first, second = one.lower(), other.lower()
        for word in (first, second):
            if not _WORD.fullmatch(word):
                raise SwapError(f"counterfactual: '{word}' is not one word: only single words are swapped")
            if word in partners or first == second:
                raise SwapError(f"counterfactual: '{word}' is in two pairs, so that it cannot be swapped to and fro")
        partners |= {first: second, second: first}
    return partners


def _forms(word: str) -> tuple[str, ...]:
    return (word, word[0].upper() + word[1:], word.upper())


def _cased(model: str, word: str) -> str:
    """A word in small letters in the case of another."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if model[:1].isupper() else word
