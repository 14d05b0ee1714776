"""Which prefix of a text's tokens corresponds to which of its reversal's: what two next-token distributions must share to be combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.text.reversal import NO_WORD, Reversed
from tasks.text.tokenizer import TextEncoder

NOWHERE = -1
Counterpart = Literal["reversed", "itself", "none"]


@dataclass(frozen=True)
class Twin:
    """A window of a text and the window of its reversal.

    Args:
        ids: of the window, marks included.
        other: ids of the reversal's window; the window itself where the text has no other reversal.
        places: for each place of the window but the last, the place of ``other`` that has seen the same words reversed, or ``NOWHERE``.
        counterpart: ``reversed``: another text. ``itself``: the text has no word of a group, and is its own reversal. ``none``: it has no reversal.
    """

    ids: tuple[int, ...]
    other: tuple[int, ...]
    places: tuple[int, ...]
    counterpart: Counterpart


def twins(encoder: TextEncoder, text: str, found: Reversed | str) -> list[Twin]:
    """The windows of a text (as ``TextEncoder.windows`` cuts it), each with its counterpart. ``found`` is what a ``Reverser`` says of the text."""
    own_ids, ends = encoder.pieces(text)
    windows = encoder.cut(own_ids)
    if isinstance(found, str):
        alike: Counterpart = "itself" if found == NO_WORD else "none"
        return [Twin(tuple(ids), tuple(ids), tuple(range(len(ids) - 1)), alike) for ids in windows]
    other_ids, other_ends = encoder.pieces(found.text)
    prefixes = aligned(ends, other_ends, found.swaps)
    whole, head = [*other_ids, *encoder.tail], len(encoder.head)
    size = encoder.max_tokens - head
    made = []
    for number, ids in enumerate(windows):
        start = prefixes[number * size]
        if start == NOWHERE:  # the window begins inside a word that was swapped for one of other length
            made.append(Twin(tuple(ids), tuple(ids), (NOWHERE,) * (len(ids) - 1), "reversed"))
            continue
        other = (*encoder.head, *whole[start : start + size])
        seen = range(number * size + 1 - head, number * size + len(ids) - head)
        made.append(Twin(tuple(ids), other, tuple(_place(prefixes[count], start, head, len(other)) for count in seen), "reversed"))
    return made


def aligned(ends: Sequence[int], other_ends: Sequence[int], swaps: Sequence[tuple[int, int, str]]) -> list[int]:
    """For each number of tokens, from none to all, how many of the reversal's tokens spell the same prefix reversed; ``NOWHERE`` where none do.

    Args:
        ends: at which character each token of the text ends.
        other_ends: the same of its reversal.
        swaps: [start, end) in the text of each swapped word, in order, and its new word. Inside one, tokens correspond one by one where the two words
            have equally many.
    """
    reach: dict[int, int] = {end: count for count, end in enumerate(other_ends, start=1)}
    last: dict[int, int] = {end: count for count, end in enumerate(ends, start=1)}
    inside = _inside(ends, other_ends, swaps)
    found, shift, passed = [0], 0, 0
    for count, end in enumerate(ends, start=1):
        while passed < len(swaps) and swaps[passed][1] <= end:
            shift += len(swaps[passed][2]) - (swaps[passed][1] - swaps[passed][0])
            passed += 1
        if passed < len(swaps) and swaps[passed][0] < end:
            found.append(inside.get(count, NOWHERE))
            continue
        other = reach.get(end + shift, NOWHERE)
        before = last[end] - count  # of several tokens that spell one character, the same from the last
        found.append(other - before if other > before and other_ends[other - before - 1] == end + shift else NOWHERE)
    return found


def _inside(ends: Sequence[int], other_ends: Sequence[int], swaps: Sequence[tuple[int, int, str]]) -> dict[int, int]:
    """Numbers of tokens that end inside a swapped word, and those of its counterpart, where both words have equally many tokens."""
    found: dict[int, int] = {}
    shift, own, other = 0, 0, 0
    for start, end, word in swaps:
        own, spelled = _within(ends, own, start, end)
        other, counterpart = _within(other_ends, other, start + shift, start + shift + len(word))
        if len(spelled) == len(counterpart):
            found.update(zip(spelled[:-1], counterpart[:-1], strict=True))
        shift += len(word) - (end - start)
    return found


def _within(ends: Sequence[int], place: int, start: int, end: int) -> tuple[int, list[int]]:
    """The counts of tokens that end in (start, end], looked for from a place on; and where to look next."""
    while place < len(ends) and ends[place] <= start:
        place += 1
    found = []
    while place < len(ends) and ends[place] <= end:
        found.append(place + 1)
        place += 1
    return place, found


def _place(prefix: int, start: int, head: int, length: int) -> int:
    place = prefix - start - 1 + head if prefix != NOWHERE else NOWHERE
    return place if 0 <= place < length - 1 else NOWHERE
