"""BOLD's Wikipedia sentences on professions (Dhamala et al., FAccT 2021), to be classified by profession. CC BY-SA 4.0."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data._bold import SOURCES, split_by_title, wikipedia
from tasks.data._gender_unigrams import gender_of, without_gender
from tasks.data.catalogue import digest_of
from tasks.data.dataset import Dataset, RawData, Task


class BoldProfessions(Dataset):
    """10,195 Wikipedia sentences of 18 categories of professions; ``label`` is the category, such as ``nursing_specialties``.

    ``group`` is ``female`` or ``male`` by the more frequent of eighteen gendered words (``tasks.data._gender_unigrams``); a sentence with none of them, or
    as many of each, has no group. That is 9,897 sentences; 114 are female and 184 male, in the test part of a tenth 22 and 25. Four professions
    have ten of both in all the sentences, none in a test part of up to a half: gaps in rates by gender lack evidence here, and ``synthetic-bios``
    is the counterpart that has it. The sentences are on professions, not on a person each as in De-Arteaga et al. (FAT* 2019). As there, ``scrub`` takes
    gendered words out of the text once the group is read: the eighteen, not names, kin or words like actress. Pages are held out whole, and a test
    sentence that another page repeats is not trained on. A page may stand in two categories: its sentences then have each label once.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = False

    kind: Literal["bold-professions"]
    scrub: bool = Field(default=True, description="Take out the eighteen gendered words that the group is read from, and their possessives.")
    test_share: float = Field(default=0.1, gt=0, lt=1, description="Share of every category to test on, by page: the same pages for every seed.")

    @property
    def has_groups(self) -> bool:
        """A few sentences name one."""
        return True

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The sentences in two parts. Raises DataError."""
        import pandas as pd

        rows = [(text, page.category, gender_of(text), page.title) for page in wikipedia("profession", cache) for text in page.texts]
        table = pd.DataFrame(rows, columns=["text", "label", "group", "title"])
        if self.scrub:
            table["text"] = table["text"].map(without_gender)
        parts = split_by_title(table, self.test_share, cache)
        kept = {name: part[["text", "label", "group"]] for name, part in zip(("train", "test"), parts, strict=True)}
        return RawData(kept, {"licence": "CC BY-SA 4.0", "url": SOURCES[0].url})
