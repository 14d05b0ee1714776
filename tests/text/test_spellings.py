"""The text of each id: what a vocabulary marks the beginning of a word by becomes a blank, whatever it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tasks.text._bytes import BytesEncoder
from tasks.text._hashing import HashingEncoder
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.tokenizer import TOKENIZERS
from tests.text.corpus import PLAIN

MARKS = ["[PAD]", "[UNK]", "[MASK]"]


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.train_from_iterator(PLAIN, trainers.WordPieceTrainer(vocab_size=120, special_tokens=MARKS, show_progress=False))
    return tokenizer


def sentence_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(PLAIN, trainers.UnigramTrainer(vocab_size=60, special_tokens=MARKS, unk_token="[UNK]", show_progress=False))
    return tokenizer


def blanks_for_underscores() -> Tokenizer:
    """As Llama's: the marks are put in and taken out by replacement, and what begins a text loses its blank."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator(PLAIN, trainers.BpeTrainer(vocab_size=90, special_tokens=MARKS, show_progress=False))
    return tokenizer


READ: dict[str, tuple[Callable[[], Tokenizer], Callable[[str], str]]] = {
    "bytes of BPE": (lambda: fit(PLAIN, 330), lambda token: token.replace("Ġ", " ")),
    "WordPiece": (word_piece, lambda token: token[2:] if token.startswith("##") else f" {token}"),
    "Unigram": (sentence_piece, lambda token: token.replace("▁", " ")),
    "replacement": (blanks_for_underscores, lambda token: token.replace("▁", " ")),
}


@pytest.mark.parametrize("family", sorted(READ))
def test_every_token_is_spelled_as_its_family_writes_it(family: str) -> None:
    """Against the marks read by hand. Of the bytes of BPE those that are no whole character have none."""
    made, read = READ[family]
    tokenizer = made()
    encoder = FastEncoder(tokenizer, 64)
    found = encoder.spellings()
    assert len(found) == encoder.vocabulary_size
    plain = {index: str(tokenizer.id_to_token(index)) for index in range(len(found)) if index not in encoder.mark_ids}
    written = {index: read(token) for index, token in plain.items() if family != "bytes of BPE" or token.replace("Ġ", "").isascii()}
    assert {index: found[index] for index in written} == written
    assert all(found[index] == "" for index in encoder.mark_ids) and encoder.mark_ids
    assert sum(text.startswith(" ") for text in written.values()) > 5 and sum(not text.startswith(" ") for text in written.values()) > 5


@pytest.mark.parametrize("family", sorted(READ))
def test_a_text_is_its_tokens_spellings(family: str) -> None:
    encoder = FastEncoder(READ[family][0](), 400)
    found = encoder.spellings()
    for text in PLAIN[:2]:
        assert "".join(found[index] for index in encoder.pieces(text)[0]) == f" {text}"


def test_a_letter_of_more_bytes_is_whole_where_a_token_is_it() -> None:
    encoder = FastEncoder(fit(["café"] * 9, 330), 64)
    assert "é" in {text[-1:] for text in encoder.spellings()}


def test_what_is_no_piece_of_text_is_not_spelled() -> None:
    for encoder in (HashingEncoder(20, 8), BytesEncoder(8)):
        with pytest.raises(TypeError, match="are not spelled"):
            encoder.spellings()
    assert {kind for kind, member in TOKENIZERS.members().items() if member.spelled} == {"trained", "pretrained"}  # type: ignore[attr-defined]
