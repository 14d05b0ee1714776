"""Women and men, in English."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.text.counterfactual import Counterfactual
from tasks.text.tagger import TAGGERS, Span, Tagger

if TYPE_CHECKING:
    from tasks.text.reversal import Reverser

_TITLED = re.compile(r"\b(?:King|Queen|Prince|Princess|Duke|Duchess|Lord|Lady|Gentleman|Sir|Madam|Dame|Emperor|Empress|Baron|Baroness)\s+(?:of\s+)?[A-Z]")
_QUOTED = re.compile(r"[\"“«][^\"“”«»]*[\"”»]")


def _neighbours() -> Tagger:
    found = TAGGERS.parse({"kind": "neighbour-rules"})
    assert isinstance(found, Tagger)
    return found


class Gender(Counterfactual):
    """Gender role reversal, word for word: she and he, mother and father, actress and actor, Ms and Mr; whole words, plurals, in their case.

    her, his, him and hers go by their role in the sentence, which ``tagger`` tells; a text where it is unclear, or that reversed twice would not come
    back as it was, has no reversal. Names change only where ``names`` pairs them. ``exclude: default`` leaves out texts on bodies (pregnant, prostate),
    on a titled person (Queen Victoria), and with a word of a group inside quotation marks.
    """

    kind: Literal["gender"]
    names: Literal["none"] | tuple[tuple[str, str], ...] = Field(default="none", description="Pairs of names to swap too, such as [[Mary, John]].")
    exclude: Literal["default", "none"] | tuple[str, ...] = Field(
        default="default", description="Texts to leave out: default, none, or those with one of these words."
    )
    pairs: tuple[tuple[str, str], ...] = Field(default=(), description="Further pairs of words.")
    tagger: Annotated[Tagger, OneOf(TAGGERS)] = Field(default_factory=_neighbours, description="What tells the role of her and his.")

    @model_validator(mode="after")
    def _swappable(self) -> Gender:
        from tasks.text.reversal import SwapError

        try:
            self.reverser()
        except SwapError as error:
            raise ValueError(str(error).removeprefix("counterfactual: ")) from None
        return self

    def reverser(self) -> Reverser:
        """What reverses texts."""
        from tasks.text.gender_words import PAIRS, UNPAIRED
        from tasks.text.reversal import Reverser

        names = () if self.names == "none" else self.names
        return Reverser((*PAIRS, *self.pairs, *names), pronouns=True, unpaired=UNPAIRED.split(), excluded=self._excluded(), tagger=self.tagger)

    def _excluded(self) -> Callable[[str, Sequence[Span]], bool] | None:
        from tasks.text.gender_words import BIOLOGY

        if self.exclude == "none":
            return None
        default = self.exclude == "default"
        words = frozenset(BIOLOGY.split() if default else (word.lower() for word in self.exclude))

        def excluded(text: str, places: Sequence[Span]) -> bool:
            if not words.isdisjoint(re.findall(r"\w+", text.lower())):
                return True
            return default and (_TITLED.search(text) is not None or _quotes(text, places))

        return excluded


def _quotes(text: str, places: Sequence[Span]) -> bool:
    """Whether a word of a group stands inside quotation marks."""
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    return any(begin < start and end <= finish for start, end in places for begin, finish in quoted)
