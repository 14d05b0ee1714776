"""XQuAD (Artetxe, Ruder and Yogatama, ACL 2020), the English part: 1,190 questions of SQuAD 1.1's development set. CC BY-SA 4.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.columns import share_as_test
from tasks.data.dataset import Dataset, RawData, Task

SOURCE = Source(
    "xquad.en.json",
    "https://raw.githubusercontent.com/google-deepmind/xquad/7d30520c717524000f0d9d2f9c10a069acd9d285/xquad.en.json",
    "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29",
)


class Xquad(Dataset):
    """XQuAD in English: 1,190 questions about 240 paragraphs of 48 Wikipedia articles, each with its answer's place. Public text, nobody's records.

    There is one file: a keyed coin per paragraph deals it, so that no paragraph is on both sides. The article stands as the user: it makes
    natural devices, and intervals draw an article's questions together.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("qa",)
    private: ClassVar[bool] = False

    kind: Literal["xquad"]
    test_share: float = Field(default=0.2, gt=0, lt=1, description="Share of paragraphs to test on, by a keyed coin per paragraph: the same for every seed.")

    def content_digest(self) -> str:
        """Digest of the pinned file."""
        return digest_of([SOURCE])

    def load(self, cache: Path) -> RawData:
        """The questions of train and test paragraphs."""
        import pandas as pd

        records = pd.DataFrame(questions(json.loads(fetch("xquad", SOURCE, cache).read_text(encoding="utf-8"))))
        train, test = share_as_test(records, self.test_share)
        return RawData({"train": train, "test": test}, {"licence": "CC BY-SA 4.0", "url": SOURCE.url, "sha256": SOURCE.sha256})


def questions(squad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every question of a file in SQuAD's format with its paragraph and the first of its answers."""
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answer = asked["answers"][0]
                told = {"context": paragraph["context"], "answer": answer["text"], "answer_start": answer["answer_start"]}
                yield {"text": asked["question"], **told, "user": article["title"]}
