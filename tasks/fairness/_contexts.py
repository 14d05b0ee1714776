"""The sentences in which words stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tasks.core.seeds import uniform

WORD = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
"""A word, or a sign."""
LONGEST = 60
"""Words of a sentence; longer texts are cut around the word."""

Context = tuple[list[str], int]


def contexts_of(texts: Iterable[str], words: Sequence[str], most: int) -> dict[str, list[Context]]:
    """For each word its sentences, as words, with the place where it stands: whole words whatever their case, at most ``most`` by a keyed coin per text."""
    wanted = {word.lower(): word for word in words}
    found: dict[str, list[tuple[float, Context]]] = {word: [] for word in words}
    for number, text in enumerate(texts):
        sentence = WORD.findall(text)
        for place, token in enumerate(sentence):
            word = wanted.get(token.lower())
            if word is not None:
                found[word].append((uniform(0, "context", f"{number}/{place}/{word}"), _cut(sentence, place)))
    return {word: [context for _, context in sorted(contexts, key=lambda pair: pair[0])[:most]] for word, contexts in found.items()}


def _cut(sentence: list[str], place: int) -> Context:
    start = max(0, min(place - LONGEST // 2, len(sentence) - LONGEST))
    return sentence[start : start + LONGEST], place - start
