"""HateXplain (Mathew et al., AAAI 2021): posts that are normal, offensive or hateful, and whom they are about. MIT licence upstream."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task
from tasks.data.grouping import TOGETHER

if TYPE_CHECKING:
    import pandas as pd

SOURCES = (
    Source(
        "train.json",
        "https://raw.githubusercontent.com/ChrisIsKing/Rule-By-Example/8064bfe848a91f076aed8954768317fc08b1dcbc/data/hatexplain/train.json",
        "c3c9d4b3b17155dcd20cd9fe460a782addbebe1b055fef7e878af76e3d506c2a",
    ),
    Source(
        "val.json",
        "https://raw.githubusercontent.com/ChrisIsKing/Rule-By-Example/8064bfe848a91f076aed8954768317fc08b1dcbc/data/hatexplain/val.json",
        "a39d40062d1529b09cf173eddac6df10450f3ac5799b93ddb63f7ae202df0f71",
    ),
    Source(
        "test.json",
        "https://raw.githubusercontent.com/ChrisIsKing/Rule-By-Example/8064bfe848a91f076aed8954768317fc08b1dcbc/data/hatexplain/test.json",
        "d9f9d6230024e0e4f215d647f352029a9202a128b16f8e92219e101a847eef53",
    ),
    Source(
        "targets.csv",
        "https://raw.githubusercontent.com/abdur-rehman7391/Data-Analyst/302143783de434d6809003f8dab992471de455c1/final_hateXplain.csv",
        "55e8d0a9b6c2f7eccd731dbe442f27758d5b9d1ef2984feb124399fb2c37d3f1",
    ),
)

SPLITS = {"train": "train.json", "validation": "val.json", "test": "test.json"}
AXES = ("Race", "Religion", "Gender", "Sexual_Orientation", "Miscellaneous")
NO_ONE = ("No_race", "Nonreligious", "No_gender", "No_orientation", "Not Avalaible", "Other")
"""What the table writes where nobody is named."""
TOXIC = ("hatespeech", "offensive")


class HateXplain(Dataset):
    """HateXplain: 15,383 training, 1,922 validation and 1,924 test posts, with the groups that each is about.

    The groups come from a table with one value on each of five axes, joined by the exact text; several are joined by ``|``. They are not the
    groups that two of three annotators named, so numbers by group are an adaptation. Labels are those of the official splits.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = False

    kind: Literal["hatexplain"]
    labels: Literal["binary", "three"] = Field(default="binary", description="binary: toxic (hateful or offensive) and normal; three: as published.")

    @property
    def has_groups(self) -> bool:
        """Whom a post is about."""
        return True

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The official splits."""
        import pandas as pd

        files = {source.name: fetch("hatexplain", source, cache) for source in SOURCES}
        groups = _groups(files["targets.csv"])
        splits: dict[str, pd.DataFrame] = {}
        for split, name in SPLITS.items():
            rows = json.loads(files[name].read_text(encoding="utf-8"))
            texts, labels = [text for text, _ in rows], [self._label(label) for _, label in rows]
            splits[split] = pd.DataFrame({"text": texts, "label": labels, "group": [groups.get(text) for text in texts]})
        return RawData(splits, {"licence": "MIT (upstream HateXplain)", "url": SOURCES[0].url, "targets": "one value per axis, not two of three annotators"})

    def _label(self, published: str) -> str:
        return published if self.labels == "three" else "toxic" if published in TOXIC else "normal"


def _groups(table: Path) -> dict[str, str]:
    """Text to the groups it is about; texts about nobody are left out."""
    found = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            named = [row[axis] for axis in AXES if row[axis] not in NO_ONE]
            if named:
                found[row["comment"]] = TOGETHER.join(named)
    return found
