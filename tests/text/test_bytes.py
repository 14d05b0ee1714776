"""Bytes: every text comes back as it was, and windows hold each byte exactly once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from tasks.text._bytes import BEGIN, END, BytesEncoder
from tasks.text.tokenizers.bytes import Bytes

WIDE = BytesEncoder(8192)


@given(some.text(max_size=200))
def test_a_text_comes_back(text: str) -> None:
    [ids] = WIDE.encode([text])
    assert ids[0] == BEGIN and ids[-1] == END and max(ids) < WIDE.vocabulary_size
    assert WIDE.decode(ids) == text


@given(some.text(max_size=200), some.integers(4, 40))
def test_a_long_text_is_cut_at_a_public_length(text: str, most: int) -> None:
    [ids] = Bytes(kind="bytes", max_tokens=most).build(None).encode([text])
    assert len(ids) == min(most, len(text.encode()) + 2)
    assert bytes(index - 4 for index in ids[1:-1]) == text.encode()[: most - 2]


@given(some.text(max_size=200), some.integers(4, 40))
def test_windows_hold_every_byte_once_and_predict_it(text: str, most: int) -> None:
    """Each window begins with a mark, so what is predicted (all but the first id) is the text and one end."""
    windows = BytesEncoder(most).windows(text)
    predicted = [index for window in windows for index in window[1:]]
    if not text:
        assert windows == []
        return
    assert predicted == [byte + 4 for byte in text.encode()] + [END]
    assert all(window[0] == BEGIN and 2 <= len(window) <= most for window in windows)
    assert all(len(window) == most for window in windows[:-1])


@given(some.lists(some.text(max_size=12), max_size=12), some.integers(4, 60))
def test_the_first_byte_of_a_word_carries_its_index(words: list[str], most: int) -> None:
    [(ids, index)] = BytesEncoder(most).encode_words([words])
    assert len(ids) == len(index) <= most and ids[0] == BEGIN and ids[-1] == END
    marked = [number for number in index if number >= 0]
    kept = [number for number, word in enumerate(words) if word or number][: len(marked)]
    assert marked == kept
    text = " ".join(words).encode()
    assert bytes(value - 4 for value in ids[1:-1]) == text[: len(ids) - 2]
    for number in marked:
        if words[number]:
            assert ids[index.index(number)] - 4 == words[number].encode()[0]
