"""A published tokenizer from a folder: the same ids as its own library gives, and saved so that its source is needed no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from tasks.text.hub import HubError, source_digest
from tasks.text.tokenizers.pretrained import Pretrained
from tests.text.corpus import ODD, PLAIN, SENTENCES

NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def published(folder: Path, marks: bool = True) -> Tokenizer:
    """A WordPiece tokenizer in a folder, as a publisher would save it."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(PLAIN, trainers.WordPieceTrainer(vocab_size=120, special_tokens=NAMES, show_progress=False))
    if marks:
        pairs = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "mask_token": "[MASK]"}')
    return tokenizer


def block(folder: Path, **fields: object) -> Pretrained:
    return Pretrained.model_validate({"kind": "pretrained", "source": str(folder), **fields})


def test_ids_are_those_of_the_library(tmp_path: Path) -> None:
    library = published(tmp_path / "source")
    encoder = block(tmp_path / "source", max_tokens=400).build(None)
    texts = [*PLAIN[:4], *ODD]
    assert encoder.encode(texts) == [library.encode(text).ids for text in texts]
    assert (encoder.pad_id, encoder.mask_id, encoder.vocabulary_size) == (0, 4, library.get_vocab_size())


def test_a_saved_one_needs_its_source_no_more(tmp_path: Path) -> None:
    published(tmp_path / "source")
    tokenizer = block(tmp_path / "source", max_tokens=9)
    encoder = tokenizer.build(None)
    before = encoder.encode(PLAIN)
    (tmp_path / "saved").mkdir()
    encoder.save(tmp_path / "saved")
    shutil.rmtree(tmp_path / "source")
    assert tokenizer.build(tmp_path / "saved").encode(PLAIN) == before


def test_words_are_aligned_as_the_library_aligns_them(tmp_path: Path) -> None:
    library = published(tmp_path / "source")
    encoder = block(tmp_path / "source", max_tokens=400).build(None)
    for words, (ids, index) in zip(SENTENCES, encoder.encode_words(SENTENCES), strict=True):
        assert ids == library.encode(words, is_pretokenized=True).ids
        pieces = [library.encode(word, add_special_tokens=False).ids for word in words]
        expected = [-1, *(number if place == 0 else -1 for number, piece in enumerate(pieces) for place in range(len(piece))), -1]
        assert index == expected


def test_without_marks_nothing_is_empty(tmp_path: Path) -> None:
    published(tmp_path / "source", marks=False)
    encoder = block(tmp_path / "source").build(None)
    assert encoder.encode(["", "the cat"])[0] == [encoder.pad_id]
    assert encoder.encode_words([[], ["the"]])[0] == ([encoder.pad_id], [-1])


def test_the_digest_follows_the_files(tmp_path: Path) -> None:
    published(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert block(tmp_path / "a").content_digest() == block(tmp_path / "b").content_digest()
    (tmp_path / "b" / "tokenizer.json").write_text((tmp_path / "b" / "tokenizer.json").read_text().replace("cat", "dog"))
    assert block(tmp_path / "a").content_digest() != block(tmp_path / "b").content_digest()


def test_a_name_that_cannot_be_asked_for_gives_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no network")))
    with pytest.raises(HubError, match="no such folder, and the hub cannot be asked") as caught:
        source_digest("someone/model", "main", ("tokenizer.json",))
    assert "\n" not in str(caught.value)
    assert source_digest("someone/model", "a" * 40, ()) == f"someone/model@{'a' * 40}"


@pytest.mark.parametrize("kind", ["bert", "gpt2", "nothing"])
def test_a_source_without_a_tokenizer_is_refused(kind: str, tmp_path: Path) -> None:
    """The library would make a tokenizer that reads every word as unknown."""
    (tmp_path / "source").mkdir()
    if kind != "nothing":
        (tmp_path / "source" / "config.json").write_text(f'{{"model_type": "{kind}", "vocab_size": 320}}')
    with pytest.raises(HubError, match="tokenizer") as caught:
        block(tmp_path / "source").build(None)
    assert "\n" not in str(caught.value)
