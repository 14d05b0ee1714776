"""The Wikipedia sentences of BOLD (Dhamala et al., FAccT 2021): on people, groups and professions. CC BY-SA 4.0."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data._bold import DOMAINS, SOURCES, Domain, split_by_title, wikipedia
from tasks.data.catalogue import digest_of
from tasks.data.columns import share_as_test
from tasks.data.dataset import Dataset, RawData, Task


class BoldWikipedia(Dataset):
    """23,679 Wikipedia sentences of five domains; ``group`` is domain and category, such as ``gender/American_actresses``."""

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["bold-wikipedia"]
    domains: tuple[Domain, ...] = Field(default=DOMAINS, min_length=1, description="Which domains.")
    split: Literal["train", "test"] | None = Field(default=None, description="Only the sentences to train on, or only those to test on.")
    by: Literal["text", "title"] = Field(default="text", description="What is held out whole: a text, or all sentences of a page, so many of every category.")
    test_share: float = Field(default=0.1, gt=0, lt=1, description="Share to test on, by a keyed coin per text or title: the same for every seed.")

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The sentences, in two parts or one of them."""
        import pandas as pd

        pages = [page for domain in self.domains for page in wikipedia(domain, cache)]
        rows = [(text, f"{page.domain}/{page.category}", page.title) for page in pages for text in page.texts]
        table = pd.DataFrame(rows, columns=["text", "group", "title"])
        by_title = self.by == "title"
        parts = split_by_title(table, self.test_share, cache) if by_title else share_as_test(table[["text", "group"]], self.test_share)
        kept = {name: part[["text", "group"]] for name, part in zip(("train", "test"), parts, strict=True) if self.split in (None, name)}
        return RawData(kept, {"licence": "CC BY-SA 4.0", "url": SOURCES[0].url})
