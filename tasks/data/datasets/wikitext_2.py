"""WikiText-2 (Merity et al., ICLR 2017): Wikipedia paragraphs. CC BY-SA 3.0. Public text, nobody's private records."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

_BASE = "https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2/"
SOURCES = {
    "train": Source("valid.txt", _BASE + "valid.txt", "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
    "test": Source("test.txt", _BASE + "test.txt", "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
}


class Wikitext2(Dataset):
    """WikiText-2: a record is a paragraph. Models train on the published validation text and are tested on the test text."""

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["wikitext-2"]
    split: Literal["validation", "test"] | None = Field(default=None, description="Only this published part: validation to train on, or test to test on.")

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(tuple(SOURCES.values()))

    def load(self, cache: Path) -> RawData:
        """Paragraphs without headings and empty lines."""
        import pandas as pd

        splits = {}
        kept = {"validation": ("train",), "test": ("test",)}.get(self.split or "", tuple(SOURCES))
        for split, source in ((split, SOURCES[split]) for split in kept):
            lines = [line.strip() for line in fetch("wikitext-2", source, cache).read_text().splitlines()]
            splits[split] = pd.DataFrame({"text": [line for line in lines if line and not line.startswith("=")]})
        return RawData(splits, {"licence": "CC BY-SA 3.0", "url": _BASE, "note": "the published validation text is trained on"})
