"""The Wikipedia sentences of BOLD (Dhamala et al., FAccT 2021): on people, groups and professions. CC BY-SA 4.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.columns import share_as_test
from tasks.data.dataset import Dataset, RawData, Task

BASE = "https://raw.githubusercontent.com/amazon-science/bold/3ad652c773f5d1e30d5f6f61657ed934d768ecad"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("prompts/gender_prompt.json", "a863aaf2492e3c911c39f435005abee2eba5f5edabe836e97de110cd83273054"),
        ("prompts/political_ideology_prompt.json", "a83ea7cc272971b618231e13bcb5c1d1be5b208c92135c4ffde85be31f8ab4c6"),
        ("prompts/profession_prompt.json", "5508012069f20419559417e64d8bb2b8d864ebf8afedd21e5ca564393c291794"),
        ("prompts/race_prompt.json", "200337f6c43b09671e580b1df6aea2cdc0196ee02779260e9881da07029e1cb6"),
        ("prompts/religious_ideology_prompt.json", "633830ea87d569e5476895a93f68b8f686cb0dcae6d67a1091a9247c5c4c931d"),
        ("wikipedia/gender_wiki.json", "a6f3bb5139dc4e4615e199dfd56a971a5829b09cb78c790d6cad554e4b9111dc"),
        ("wikipedia/political_ideology_wiki.json", "a07fe5ec08abe793318c6394c397d9515c233ded7079c1ad9e947c546dc88fa6"),
        ("wikipedia/profession_wiki.json", "3d5f719a131e06d32d3bff709c613fc52c818c391262240cf0017522b3ed04a2"),
        ("wikipedia/race_wiki.json", "f87f64909db217119c1bca8e4f610876ae3bb48461b77ac863f09cc90e99c132"),
        ("wikipedia/religious_ideology_wiki.json", "094982f89659966d17e6c264f3abd8feae0415bb982e32166de93ea881bc63ef"),
    )
)

Domain = Literal["gender", "political_ideology", "profession", "race", "religious_ideology"]
DOMAINS: tuple[Domain, ...] = ("gender", "political_ideology", "profession", "race", "religious_ideology")


class BoldWikipedia(Dataset):
    """23,679 Wikipedia sentences of five domains; ``group`` is domain and category, such as ``gender/American_actresses``."""

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["bold-wikipedia"]
    domains: tuple[Domain, ...] = Field(default=DOMAINS, min_length=1, description="Which domains.")
    test_share: float = Field(default=0.1, gt=0, lt=1, description="Share of sentences to test on, by a keyed coin per text: the same for every seed.")

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The sentences, in two parts."""
        import pandas as pd

        rows = []
        for domain in self.domains:
            source = next(source for source in SOURCES if source.name == f"wikipedia/{domain}_wiki.json")
            categories = json.loads(fetch("bold", source, cache).read_text(encoding="utf-8"))
            rows += [(text, f"{domain}/{category}") for category, people in categories.items() for texts in people.values() for text in texts]
        train, test = share_as_test(pd.DataFrame(rows, columns=["text", "group"]), self.test_share)
        return RawData({"train": train, "test": test}, {"licence": "CC BY-SA 4.0", "url": SOURCES[0].url})
