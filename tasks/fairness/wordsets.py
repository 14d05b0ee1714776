"""Which words an association test compares: a published test, a set of the synthetic grammar, or words of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.fingerprint import digest

Synthetic = Literal["synthetic-occupations", "synthetic-valence"]


class Words(BaseModel):
    """Words of one's own: targets X and Y of equal number, attributes A and B; expected: X with A."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", description="In metrics' names: small letters, digits and -.")
    x: tuple[str, ...] = Field(min_length=2)
    y: tuple[str, ...] = Field(min_length=2)
    a: tuple[str, ...] = Field(min_length=2)
    b: tuple[str, ...] = Field(min_length=2)


@dataclass(frozen=True)
class Resolved:
    """The four lists of a test, and where they come from."""

    name: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    published: bool

    @property
    def lists(self) -> tuple[tuple[str, ...], ...]:
        """X, Y, A, B."""
        return self.x, self.y, self.a, self.b

    @property
    def slug(self) -> str:
        """The name as a segment of metrics' names."""
        return self.name.replace("-", "_")

    @property
    def content(self) -> str:
        """Digest of the words."""
        return digest([list(words) for words in self.lists])[:12]


def resolve(test: str | None, words: Words | Synthetic | None) -> Resolved:
    """The words of a test of the catalogue, of the grammar, or as given. Raises DataError where the catalogue's file cannot be had."""
    if isinstance(words, Words):
        return Resolved(words.name, words.x, words.y, words.a, words.b, published=False)
    if words is not None:
        from tasks.data._stereotype_items import word_sets

        found = word_sets()[words.removeprefix("synthetic-")]
        return Resolved(words, found.x, found.y, found.a, found.b, published=False)
    from tasks.core.places import data_folder
    from tasks.fairness.items.seat import load_test

    assert test is not None
    published = load_test(test, data_folder())
    return Resolved(test, published.x, published.y, published.a, published.b, published=True)


def published_digest(words: Words | Synthetic | None) -> str | None:
    """Digest of the catalogue's files, where the words are not a study's own."""
    if words is not None:
        return None
    from tasks.fairness.items.seat import digest

    return digest()
