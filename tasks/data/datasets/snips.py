"""SNIPS (Coucke et al., 2018), in the split of Goo et al. (NAACL 2018): 7 intents and 72 slot tags."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

_BASE = "https://raw.githubusercontent.com/MiuLab/SlotGated-SLU/61f0307c729b1fad479ef1de94aa5ac5dee601b0/data/snips/"
_HASHES = {
    "test/label": "37a26da3ad079bb41c42c85a3a8f827eb47efec4c5917ce5d08f4b2736e4f830",
    "test/seq.in": "c1e341173fcea2951a8ca371956a6f81c76de87b9583c62eb87edd6158fa3a7c",
    "test/seq.out": "58c07c9097d5e1f78889765c2a535a160f6455b90b3142055c8051847afcca47",
    "train/label": "bfd7df6cf9dd76c5da5d8b61bc85f90386197bdd3d7510c1d324c051537b962f",
    "train/seq.in": "04ad1e3f2121d83c6478f9a4b17d2dbdc21d06d6127f73cb7af835ed733f9855",
    "train/seq.out": "fd5f2121d8055827e5d6b3d3bac30f3d7e94e82a5d437751960cbdd9e1b4f6d3",
    "valid/label": "9c1dd041216f647bcfca838aaf1a48eb5781e4404256d31ff07cd38a5436c52f",
    "valid/seq.in": "64e0f6d8ad8aab3a3828164d7d53731a0993d3ca1aed437ceaca6d3d568d410e",
    "valid/seq.out": "712e6d34feb8d52d208b820a5f8bae6e6ff990f08374507dfde22de389088319",
}
SOURCES = tuple(Source(name, _BASE + name, digest) for name, digest in _HASHES.items())
SPLITS = {"train": "train", "validation": "valid", "test": "test"}


class Snips(Dataset):
    """SNIPS: 13,084 training, 700 validation and 700 test utterances with intent and BIO slot tags."""

    tasks: ClassVar[tuple[Task, ...]] = ("joint", "intent", "tagging")

    kind: Literal["snips"]

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The split of Goo et al."""
        import pandas as pd

        lines = {source.name: fetch("snips", source, cache).read_text().splitlines() for source in SOURCES}
        splits = {}
        for split, name in SPLITS.items():
            tokens = [line.split() for line in lines[f"{name}/seq.in"]]
            slots = [line.split() for line in lines[f"{name}/seq.out"]]
            labels = [line.strip() for line in lines[f"{name}/label"]]
            columns = {"text": [" ".join(words) for words in tokens], "label": labels, "tokens": tokens, "slots": slots}
            splits[split] = pd.DataFrame(columns)
        return RawData(splits, {"licence": "public research data", "url": _BASE})
