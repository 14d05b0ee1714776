"""Shakespeare's speeches: how blocks are read, and their counts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tasks.data.datasets.shakespeare import Shakespeare, speeches
from tests.conftest import Prepare

PLAYS = """First Citizen:
Speak:
you.

TITUS:

All:
Resolved. resolved.
"""


def test_a_block_is_a_speaker_and_a_speech() -> None:
    """A line of verse that ends with a colon is no speaker: only the first line of a block is."""
    assert list(speeches(PLAYS)) == [("First Citizen", "Speak:\nyou."), ("TITUS", ""), ("All", "Resolved. resolved.")]


@pytest.mark.parametrize("text", ["", "\n\n", ":\nwho?", "no speaker\nhere:"])
def test_what_names_nobody_is_no_speech(text: str) -> None:
    assert list(speeches(text)) == []


def test_the_plays_have_their_known_counts(catalogue: Path) -> None:
    text = (catalogue / "shakespeare" / "input.txt").read_text()
    found = list(speeches(text))
    speakers, count = np.unique([speaker for speaker, _ in found], return_counts=True)
    assert (len(found), len(speakers), len({speaker.casefold() for speaker in speakers})) == (7_222, 309, 303)
    assert (int(np.median(count)), int(count.max()), int((count == 1).sum())) == (8, 229, 61)
    ranked = np.sort(count)
    characters = np.sort([sum(len(speech) for who, speech in found if who == speaker) for speaker in speakers])
    assert [round(float(part[-30:].sum() / part.sum()), 2) for part in (ranked, characters)] == [0.46, 0.53]  # the most active tenth
    gini = 2 * np.sum(np.arange(1, 310) * ranked) / (309 * 7_222) - 310 / 309
    assert round(float(gini), 2) == 0.67
    assert sum(speech == "" for _, speech in found) == 125
    everywhere = {line[:-1] for line in re.findall(r"(?m)^.+:$", text)}
    assert len(everywhere) == 1_848  # what a careless reading takes for speakers: it would not pass the counts above


def test_nothing_of_the_plays_is_lost(catalogue: Path) -> None:
    text = (catalogue / "shakespeare" / "input.txt").read_text()
    again = "\n\n".join(f"{speaker}:\n{speech}" for speaker, speech in speeches(text))
    assert again.split() == text.split()


def test_prepared_speeches_are_public_and_have_speakers(catalogue: Path, prepare: Prepare) -> None:
    prepared = prepare({"kind": "shakespeare"}, cache=catalogue)
    train, test = prepared.split("train"), prepared.split("test")
    assert prepared.task == "lm" and prepared.facts["private"] is False
    assert prepared.facts["counts"] == {"train": 6_417, "test": 680}
    assert len({*train["user"], *test["user"]}) == 299
    assert list(train.columns) == ["id", "text", "user"]
    assert not set(train["text"].str.casefold()) & set(test["text"].str.casefold())


def test_a_limit_keeps_a_subset_and_a_share_keeps_the_coins(catalogue: Path, prepare: Prepare) -> None:
    full = prepare({"kind": "shakespeare"}, cache=catalogue)
    limited = prepare({"kind": "shakespeare", "limit": 500}, cache=catalogue, seed=3)
    assert limited.facts["counts"] == {"train": 500, "test": 680}
    assert set(limited.split("train")["id"]) < set(full.split("train")["id"])
    assert Shakespeare(kind="shakespeare", test_share=0.2).content_digest() == Shakespeare(kind="shakespeare").content_digest()
    wider = prepare({"kind": "shakespeare", "test_share": 0.2}, cache=catalogue)
    assert set(full.split("test")["text"]) < set(wider.split("test")["text"])
