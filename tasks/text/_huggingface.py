"""Fast Hugging Face tokenizers at work: those we fit and those that were published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.text.hub import HubError
from tasks.text.tokenizer import TextEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, BEGIN, END, MASK = "[PAD]", "[CLS]", "[SEP]", "[MASK]"
PAD_NAMES = (PAD, "<pad>", "<|endoftext|>", "</s>")
MASK_NAMES = (MASK, "<mask>")


class FastEncoder(TextEncoder):
    """A ``tokenizers`` tokenizer; special marks are those it was made with."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.joints = _joints(tokenizer)
        tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.vocabulary_size = tokenizer.get_vocab_size(with_added_tokens=True)
        self.pad_id = next((found for name in PAD_NAMES if (found := tokenizer.token_to_id(name)) is not None), 0)
        self.mark_ids = frozenset(index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special)
        begin = tokenizer.token_to_id(BEGIN)
        self.head = (self.pad_id if begin is None else begin,)
        self.mask_id = next((found for name in MASK_NAMES if (found := tokenizer.token_to_id(name)) is not None), None)

    @classmethod
    def from_file(cls, path: Path, max_tokens: int) -> FastEncoder:
        """From a ``tokenizer.json``."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(path)), max_tokens)

    @classmethod
    def from_source(cls, source: str, revision: str, max_tokens: int) -> FastEncoder:
        """From a folder or a hub name. Raises HubError where there is no fast tokenizer.

        A source without a tokenizer's files is refused: the library would make one that knows no word.
        """
        from transformers import AutoTokenizer

        try:
            found = AutoTokenizer.from_pretrained(source, revision=revision, use_fast=True, trust_remote_code=False)
        except Exception as error:
            raise HubError(f"tokenizer {source}: {str(error).strip().splitlines()[0][:200]}") from error
        if not found.is_fast or len(found) <= len(found.all_special_tokens):
            raise HubError(f"tokenizer {source}: there is no fast tokenizer (tokenizer.json, or the vocabulary that one is made from)")
        return cls(found.backend_tokenizer, max_tokens)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids with the tokenizer's own marks."""
        return [found.ids or [self.pad_id] for found in self._tokenizer.encode_batch(list(texts))]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
        """The first token of a word carries its index."""
        encoded = []
        for found in self._tokenizer.encode_batch([list(words) for words in sentences], is_pretokenized=True):
            index, before = [], None
            for word in found.word_ids:
                index.append(-1 if word is None or word == before else word)
                before = word
            encoded.append((found.ids, index) if found.ids else ([self.pad_id], [-1]))
        return encoded

    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        """The tokenizer's own tokens."""
        self._tokenizer.no_truncation()
        found = self._tokenizer.encode(text, add_special_tokens=False)
        self._tokenizer.enable_truncation(max_length=self.max_tokens)
        return found.ids, [end for _, end in found.offsets]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without marks."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def spellings(self) -> list[str]:
        """Each token as the tokenizer itself writes it behind another one: only there does it tell which tokens begin a word, whatever marks them."""
        before = next(index for index in [*self.pieces("a")[0], *range(self.vocabulary_size)] if index not in self.mark_ids)
        written = self._tokenizer.decode_batch([[before, index] for index in range(self.vocabulary_size)])
        return [text[len(self.decode([before])) :] for text in written]

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        self._tokenizer.save(str(folder / "tokenizer.json"))


def _joints(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The marks around two texts: what a tokenizer adds to a pair that is of neither."""
    found = tokenizer.encode("a", "a")
    of = found.sequence_ids
    first, last = of.index(1), len(of) - 1 - of[::-1].index(1)
    between = [index for index, text in zip(found.ids[:first], of, strict=False) if text is None]
    before = found.ids[: of.index(0)]
    return tuple(before), tuple(between[len(before) :]), tuple(found.ids[last + 1 :])


def fit(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer learnt on texts; the same texts give the same vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [PAD, BEGIN, END, MASK]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=marks, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    pairs = [(BEGIN, tokenizer.token_to_id(BEGIN)), (END, tokenizer.token_to_id(END))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A {END}", pair=f"{BEGIN} $A {END} $B:1 {END}:1", special_tokens=pairs)
    return tokenizer
