"""DialogSum (Chen et al., Findings of ACL 2021): everyday dialogues and their summaries. CC BY-NC-SA 4.0: not for commercial use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

if TYPE_CHECKING:
    import pandas as pd

_BASE = "https://raw.githubusercontent.com/cylnlp/dialogsum/848cc8c05e0a04def79326539de827f1b28786a0/DialogSum_Data/"
_HASHES = {
    "dialogsum.dev.jsonl": "436721e0a3571eef7072964f80e042fb151d8c6178db1a688ce8f803bbf0a13f",
    "dialogsum.test.jsonl": "6de36eca7e7b9b10975fd5ea3f47391df172d8b3c15d03d84d763cbaab015fda",
}
SOURCES = tuple(Source(name, _BASE + name, digest) for name, digest in _HASHES.items())
SPLITS = {"train": "dialogsum.dev.jsonl", "test": "dialogsum.test.jsonl"}


class Dialogsum(Dataset):
    """DialogSum's 500 development dialogues to train on and 500 test dialogues, each with a summary; its topic is the label. Textbook dialogues, nobody's
    records.

    Test dialogues have three summaries, of which the first counts. Topics are free words: the 500 training dialogues have 455, so nearly
    each is of one dialogue.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("seq2seq",)
    private: ClassVar[bool] = False

    kind: Literal["dialogsum"]

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """Dialogues, a line per turn."""
        read = {source.name: fetch("dialogsum", source, cache).read_text(encoding="utf-8") for source in SOURCES}
        facts = {"licence": "CC BY-NC-SA 4.0: not for commercial use", "url": _BASE}
        return RawData({split: _dialogues(read[name]) for split, name in SPLITS.items()}, facts)


def _dialogues(lines: str) -> pd.DataFrame:
    import pandas as pd

    found = [json.loads(line) for line in lines.split("\n") if line.strip()]
    return pd.DataFrame(
        {
            "text": [one["dialogue"].strip() for one in found],
            "target": [one.get("summary", one.get("summary1")).strip() for one in found],
            "label": [one.get("topic", one.get("topic1")).strip().casefold() for one in found],
        }
    )
