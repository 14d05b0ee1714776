"""A place to keep what would have to be worked out again. It is no part of its owner's value: any two are equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Memory(Generic[Kept]):
    """Keeps one thing under one key. The key must hold all that the thing follows from: copies of a component share their memory."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, Kept] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Memory)

    def __hash__(self) -> int:
        return 0

    def recall(self, key: Hashable) -> Kept | None:
        """What is kept under the key."""
        kept = self._kept
        return kept[1] if kept is not None and kept[0] == key else None

    def keep(self, key: Hashable, thing: Kept) -> Kept:
        """Keep it instead of what was kept."""
        self._kept = (key, thing)
        return thing

    def once(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What is kept under the key, else what is made now."""
        found = self.recall(key)
        return self.keep(key, make()) if found is None else found
