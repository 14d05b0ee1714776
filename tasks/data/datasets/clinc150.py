"""CLINC150 (Larson et al., EMNLP 2019): 150 assistant intents, and utterances out of scope. CC BY 3.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

SOURCE = Source(
    "data_full.json",
    "https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json",
    "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
)
SPLITS = {"train": "train", "validation": "val", "test": "test"}


class Clinc150(Dataset):
    """CLINC150: 15,000 training, 3,000 validation and 4,500 test utterances of 150 intents."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)

    kind: Literal["clinc150"]
    out_of_scope: bool = Field(default=False, description="Keep the utterances out of scope as one more label, oos.")

    def content_digest(self) -> str:
        """Digest of the pinned file."""
        return digest_of([SOURCE])

    def load(self, cache: Path) -> RawData:
        """The official splits."""
        import pandas as pd

        published = json.loads(fetch("clinc150", SOURCE, cache).read_text())
        splits = {}
        for split, name in SPLITS.items():
            rows = published[name] + (published[f"oos_{name}"] if self.out_of_scope else [])
            splits[split] = pd.DataFrame(rows, columns=["text", "label"])
        return RawData(splits, {"licence": "CC BY 3.0", "url": SOURCE.url, "sha256": SOURCE.sha256})
