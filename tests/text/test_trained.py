"""A vocabulary learnt on a declared corpus: the same corpus gives the same one, and every text comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tasks.text._huggingface import BEGIN, FastEncoder, fit
from tasks.text.steps import FitTokenizerConfig, fit_tokenizer
from tasks.text.tokenizers.trained import Trained
from tests.conftest import NewRun, Prepare
from tests.text.corpus import ODD, PLAIN, SENTENCES

WIDE = FastEncoder(fit(PLAIN, 400), 4096)
CORPUS = {"kind": "synthetic-assistant", "examples": 300, "task": "lm"}


def test_the_same_corpus_gives_the_same_vocabulary(tmp_path: Path) -> None:
    assert fit(PLAIN, 400).to_str() == fit(list(PLAIN), 400).to_str()
    assert fit(PLAIN, 400).to_str() != fit([*PLAIN, "some other words " * 9], 400).to_str()


def test_the_step_fits_on_the_training_text_alone(prepare: Prepare, new_run: NewRun) -> None:
    prepared, run = prepare(CORPUS), new_run()
    tokenizer = Trained.model_validate({"kind": "trained", "corpus": CORPUS, "vocabulary": 400})
    fit_tokenizer(FitTokenizerConfig(tokenizer=tokenizer), {"corpus": prepared.folder}, 0, run)
    encoder = tokenizer.build(run.folder)
    twin = FastEncoder(fit(list(prepared.split("train")["text"]), 400), 64)
    texts = list(prepared.split("test")["text"])
    assert encoder.encode(texts) == twin.encode(texts) and encoder.vocabulary_size == twin.vocabulary_size == 400
    with pytest.raises(ValueError, match="fitted vocabulary"):
        tokenizer.build(None)


@settings(max_examples=60, deadline=None)
@given(some.text(max_size=80))
def test_a_text_comes_back(text: str) -> None:
    """A blank is put before the first word, so that a word is spelled alike wherever it stands; nothing else changes."""
    [ids] = WIDE.encode([text])
    assert WIDE.decode(ids).removeprefix(" ") == text.removeprefix(" ")


def test_a_saved_encoder_says_the_same(tmp_path: Path) -> None:
    encoder = FastEncoder(fit(PLAIN, 400), 12)
    encoder.save(tmp_path)
    again = FastEncoder.from_file(tmp_path / "tokenizer.json", 12)
    assert again.encode([*PLAIN, *ODD]) == encoder.encode([*PLAIN, *ODD])
    assert (again.pad_id, again.mask_id, again.vocabulary_size) == (encoder.pad_id, encoder.mask_id, encoder.vocabulary_size)


def test_windows_cover_the_whole_text_once() -> None:
    encoder = FastEncoder(fit(PLAIN, 400), 7)
    begin = WIDE.encode([""])[0][0]
    for text in (*PLAIN[:4], *ODD[1:]):
        windows = encoder.windows(text)
        assert [index for window in windows for index in window[1:]] == WIDE.encode([text])[0][1:-1]
        assert all(window[0] == begin and 2 <= len(window) <= 7 for window in windows)
    assert encoder.windows("") == []
    assert max(map(len, encoder.encode(["x" * 300]))) == 7  # cutting is on again
    assert begin == fit(PLAIN, 400).token_to_id(BEGIN)


def test_the_first_token_of_a_word_carries_its_index() -> None:
    for words, (ids, index) in zip(SENTENCES, WIDE.encode_words(SENTENCES), strict=True):
        assert [number for number in index if number >= 0] == list(range(len(words)))
        starts = [place for place, number in enumerate(index) if number >= 0]
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(ids) - 1], strict=True)):
            assert WIDE.decode(ids[start:end]).strip() == words[number]
        assert index[0] == index[-1] == -1


def test_a_long_sentence_loses_its_last_words() -> None:
    [(ids, index)] = FastEncoder(fit(PLAIN, 400), 6).encode_words([["the", "cat", "sat", "on", "the", "mat", "please"]])
    kept = [number for number in index if number >= 0]
    assert len(ids) == 6 and kept == list(range(len(kept))) and len(kept) < 7
