"""Taggers: what her and his are in a sentence, on which their counterpart depends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from tasks.core.component import Component, Family

Role = Literal["determiner", "object", "independent"]
"""``her book``, ``saw her``, ``it is hers``."""
Span = tuple[int, int]


class Tagger(Component, ABC):
    """Base of every tagger. One that knows more grammar joins through the entry points of ``assay.components``."""

    @abstractmethod
    def roles(self, text: str, places: Sequence[Span]) -> list[Role | None]:
        """The role of each ``her`` or ``his``, in any case, that stands at [start, end) in a text; None where it is not clear."""


TAGGERS = Family("tagger", "tasks.text.taggers", Tagger)
