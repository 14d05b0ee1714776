"""WNUT 2017 (Derczynski et al., W-NUT 2017): emerging entities in posts and comments, 6 types. CC BY 4.0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

_BASE = "https://raw.githubusercontent.com/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603/"
_HASHES = {
    "wnut17train.conll": "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
    "emerging.dev.conll": "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
    "emerging.test.annotated": "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
}
SOURCES = tuple(Source(name, _BASE + name, digest) for name, digest in _HASHES.items())
SPLITS = {"train": "wnut17train.conll", "validation": "emerging.dev.conll", "test": "emerging.test.annotated"}


class Wnut17(Dataset):
    """WNUT 2017: 3,394 training, 1,009 validation and 1,287 test texts with entities of 6 types as BIO tags.

    Entities of the test texts are new: hardly any stands in the training texts. There are neither users nor dates.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("tagging",)

    kind: Literal["wnut17"]

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The official splits."""
        import pandas as pd

        read = {source.name: fetch("wnut17", source, cache).read_text(encoding="utf-8") for source in SOURCES}
        splits = {split: pd.DataFrame(sentences(read[name]), columns=["tokens", "slots"]) for split, name in SPLITS.items()}
        for records in splits.values():
            records["text"] = records["tokens"].map(" ".join)
        return RawData(splits, {"licence": "CC BY 4.0", "url": _BASE})


def sentences(conll: str) -> Iterator[tuple[list[str], list[str]]]:
    """Words and tags of every text: a word and its tag per line, apart by a tab, and lines without a word between texts.

    Such a line may hold the tab alone. Of several tags in a line, as annotators left them, the first counts.
    """
    words: list[str] = []
    tags: list[str] = []
    for line in [*conll.split("\n"), ""]:
        word, _, rest = line.strip("\r ").partition("\t")
        if word.strip():
            words.append(word.strip())
            tags.append(rest.split("\t")[0].split(",")[0].strip())
        elif words:
            yield words, tags
            words, tags = [], []
