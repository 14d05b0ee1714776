"""Prefixes of a text and of its reversal correspond: seen in the words that they spell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.text._bytes import BytesEncoder
from tasks.text._hashing import HashingEncoder
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.alignment import NOWHERE, aligned, twins
from tasks.text.counterfactuals.gender import Gender
from tasks.text.reversal import NO_WORD, Reversed
from tasks.text.tokenizer import TextEncoder

REVERSER = Gender(kind="gender").reverser()
TEXTS = [
    "The actress said that her husband, a policeman, left him.",
    "She is a nurse. «Café» is where his grandmother met her in 1990, and the men were in ñandú — she waited for hours.",
]


def encoders() -> list[TextEncoder]:
    return [BytesEncoder(24), HashingEncoder(512, 7), FastEncoder(fit(TEXTS, 330), 9)]


def slow(text: str, other: str, swaps: tuple[tuple[int, int, str], ...], end: int) -> str | None:
    """What a prefix of characters is in the reversal, by swapping in the prefix alone; None inside a swapped word."""
    if any(start < end < stop for start, stop, _ in swaps):
        return None
    pieces, done = [], 0
    for start, stop, word in swaps:
        if stop <= end:
            pieces += [text[done:start], word]
            done = stop
    found = "".join([*pieces, text[done:end]])
    assert other.startswith(found)
    return found


@pytest.mark.parametrize("encoder", encoders(), ids=["bytes", "hashing", "trained"])
@pytest.mark.parametrize("text", TEXTS)
def test_aligned_prefixes_spell_the_reversed_words(encoder: TextEncoder, text: str) -> None:
    found = REVERSER.reverse(text)
    assert isinstance(found, Reversed)
    (_, ends), (_, other_ends) = encoder.pieces(text), encoder.pieces(found.text)
    prefixes = aligned(ends, other_ends, found.swaps)
    assert prefixes[0] == 0
    assert prefixes[-1] == len(other_ends)
    for count, end in enumerate(ends, start=1):
        expected = slow(text, found.text, found.swaps, end)
        if expected is not None and len(expected) in other_ends:
            assert found.text[: other_ends[prefixes[count] - 1]] == expected
            spelled = ends.count(end)
            if spelled == other_ends.count(len(expected)):  # tokens of one character, from the last
                assert (
                    max(k for k, e in enumerate(ends, 1) if e == end) - count
                    == max(k for k, e in enumerate(other_ends, 1) if e == len(expected)) - prefixes[count]
                )
    back = REVERSER.reverse(found.text)
    assert isinstance(back, Reversed)
    returned = aligned(other_ends, ends, back.swaps)
    assert [(count, prefix) for count, prefix in enumerate(prefixes) if prefix != NOWHERE] == sorted(
        (prefix, count) for count, prefix in enumerate(returned) if prefix != NOWHERE
    )


def test_a_swapped_word_of_other_length_has_no_counterpart_inside() -> None:
    encoder = BytesEncoder(64)
    he, she = (encoder.pieces(text)[1] for text in ("so he is", "so she is"))
    assert aligned(he, she, ((3, 5, "she"),)) == [0, 1, 2, 3, NOWHERE, 6, 7, 8, 9]
    his, her = (encoder.pieces(text)[1] for text in ("so his", "so her"))
    assert aligned(his, her, ((3, 6, "her"),)) == list(range(7))


@pytest.mark.parametrize("encoder", encoders(), ids=["bytes", "hashing", "trained"])
def test_windows_with_their_twins_are_the_windows(encoder: TextEncoder) -> None:
    for text in TEXTS:
        found = REVERSER.reverse(text)
        assert isinstance(found, Reversed)
        made = twins(encoder, text, found)
        assert [list(twin.ids) for twin in made] == encoder.windows(text)
        assert all(len(twin.places) == len(twin.ids) - 1 and len(twin.other) <= encoder.max_tokens for twin in made)
        whole, other = [*encoder.pieces(text)[0], *encoder.tail], [*encoder.pieces(found.text)[0], *encoder.tail]
        head, size = len(encoder.head), encoder.max_tokens - len(encoder.head)
        prefixes = aligned(encoder.pieces(text)[1], encoder.pieces(found.text)[1], found.swaps)
        for number, twin in enumerate(made):
            start = prefixes[number * size]
            for place, where in enumerate(twin.places):
                if where != NOWHERE:
                    seen, of_other = number * size + place + 1 - head, start + where + 1 - head
                    assert prefixes[seen] == of_other
                    if place + 1 < len(twin.ids) and where + 1 < len(twin.other):  # the next tokens are those that are predicted
                        assert (twin.ids[place + 1], twin.other[where + 1]) == (whole[seen], other[of_other])
        plain = twins(encoder, text, NO_WORD)
        assert [twin.ids for twin in plain] == [twin.other for twin in plain] == [twin.ids for twin in made]


def test_most_places_of_real_text_are_aligned(catalogue: Path) -> None:
    people = json.loads((catalogue / "bold" / "wikipedia" / "gender_wiki.json").read_text())
    texts = [text for page in list(people["American_actresses"].values())[:200] for text in page]
    encoder = FastEncoder(fit(texts, 1000), 64)
    made = [twin for text in texts for twin in twins(encoder, text, REVERSER.reverse(text)) if twin.counterpart == "reversed"]
    places = [place for twin in made for place in twin.places]
    assert len(made) > 100
    assert sum(place != NOWHERE for place in places) > 0.95 * len(places)
