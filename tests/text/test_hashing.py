"""Hashing: nothing is learnt, a word has the same id everywhere and for ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.text.tokenizers.hashing import Hashing
from tests.text.corpus import ODD, PLAIN

POLYNOMIAL = 0xEDB88320


def crc32(data: bytes) -> int:
    """CRC-32 bit by bit (ISO 3309): the slow twin."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def words(text: str) -> Iterator[str]:
    """Runs of letters, digits and underscores, and every other visible character alone."""
    run = ""
    for character in f"{text} ":
        if character.isalnum() or character == "_":
            run += character
            continue
        if run:
            yield run
        run = ""
        if not character.isspace():
            yield character


@pytest.mark.parametrize("buckets", [16, 8192])
def test_ids_are_crc32_of_lower_cased_words(buckets: int) -> None:
    encoder = Hashing(kind="hashing", buckets=buckets).build(None)
    for text in (*PLAIN[:4], "naïve café", "日本語", "Play PLAY play", "a_b-c"):
        expected = [2 + crc32(word.encode()) % buckets for word in words(text.lower())]
        assert encoder.encode([text]) == [expected]
        assert all(2 <= index < encoder.vocabulary_size for index in expected)


def test_ids_are_the_same_in_another_process() -> None:
    program = "from tasks.text.tokenizers.hashing import Hashing; print(Hashing(kind='hashing').build(None).encode(['Play blue moon']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(Hashing(kind="hashing").build(None).encode(["play Blue MOON"]))


@given(some.text())
def test_a_text_is_never_empty_nor_too_long(text: str) -> None:
    encoder = Hashing(kind="hashing", max_tokens=8).build(None)
    [ids] = encoder.encode([text])
    assert 1 <= len(ids) <= 8 and encoder.pad_id not in ids


def test_words_are_hashed_whole_for_tagging() -> None:
    encoder = Hashing(kind="hashing", max_tokens=3).build(None)
    assert encoder.encode_words([["Don't", "stop"]]) == [([2 + crc32(b"don't") % 8192, 2 + crc32(b"stop") % 8192], [0, 1])]
    assert encoder.encode_words([[]]) == [([1], [-1])]
    [(ids, index)] = encoder.encode_words([["a", "b", "c", "d"]])
    assert len(ids) == 3 and index == [0, 1, 2]


def test_windows_cover_all_words_once() -> None:
    encoder = Hashing(kind="hashing", max_tokens=5).build(None)
    for text in (*PLAIN[:4], *ODD):
        windows = encoder.windows(text)
        assert [index for window in windows for index in window] == [2 + crc32(word.encode()) % 8192 for word in words(text.lower())]
        assert all(1 <= len(window) <= 5 for window in windows)


def test_hashing_cannot_be_inverted() -> None:
    with pytest.raises(TypeError, match="cannot be inverted"):
        Hashing(kind="hashing").build(None).decode([5])
