"""Hate speech and offensive language (Davidson et al., ICWSM 2017): 24,783 tweets. MIT licence."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.columns import share_as_test
from tasks.data.dataset import Dataset, RawData, Task

BASE = "https://raw.githubusercontent.com/t-davidson/hate-speech-and-offensive-language/cb50f7e9eb855a99abc51423bf40df0e26d6fe30/data"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256) for name, sha256 in (("labeled_data.csv", "fcb8bc7c68120ae4af04a5b9acd58585513ede11e1548ebf36a5c2040b6f6281"),)
)

CLASSES = ("hate", "offensive", "neither")


class HateSpeechOffensive(Dataset):
    """Tweets that are hateful (1,430), offensive (19,190) or neither (4,163), by majority of annotators. There are no official splits and no groups."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = False

    kind: Literal["hate-speech-offensive"]
    labels: Literal["binary", "three"] = Field(default="binary", description="binary: toxic (hateful or offensive) and normal; three: as published.")
    test_share: float = Field(default=0.2, gt=0, lt=1, description="Share of tweets to test on, by a keyed coin per text: the same for every seed.")

    def content_digest(self) -> str:
        """Digest of the pinned file."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The tweets, in two parts."""
        import pandas as pd

        table = pd.read_csv(fetch("hate-speech-offensive", SOURCES[0], cache), index_col=0)
        names = [CLASSES[number] for number in table["class"]]
        labels = names if self.labels == "three" else ["normal" if name == "neither" else "toxic" for name in names]
        train, test = share_as_test(pd.DataFrame({"text": table["tweet"].to_list(), "label": labels}), self.test_share)
        return RawData({"train": train, "test": test}, {"licence": "MIT", "url": SOURCES[0].url, "sha256": SOURCES[0].sha256})
