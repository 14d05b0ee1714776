"""Madlibs (Dixon et al., AIES 2018): templated sentences that differ in the identity they name. Apache 2.0."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

BASE = "https://raw.githubusercontent.com/conversationai/unintended-ml-bias-analysis/9c7d91aaa53406a362354661a93e07956d95e59a/archive/unintended_ml_bias/eval_datasets"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256) for name, sha256 in (("bias_madlibs_77k.csv", "aac542254cf158415ec74623d54fa76176f26a7e7d8ef20788e1748a05ba5b4c"),)
)

TERMS = [
    "african american",
    "middle eastern",
    "middle aged",
    "lesbian",
    "gay",
    "bisexual",
    "transgender",
    "trans",
    "queer",
    "lgbt",
    "lgbtq",
    "homosexual",
    "straight",
    "heterosexual",
    "male",
    "female",
    "nonbinary",
    "african",
    "black",
    "white",
    "european",
    "hispanic",
    "latino",
    "latina",
    "latinx",
    "mexican",
    "canadian",
    "american",
    "asian",
    "indian",
    "chinese",
    "japanese",
    "christian",
    "muslim",
    "jewish",
    "buddhist",
    "catholic",
    "protestant",
    "sikh",
    "taoist",
    "older",
    "old",
    "younger",
    "young",
    "teenage",
    "millenial",
    "elderly",
    "blind",
    "deaf",
    "paralyzed",
]
"""The identities that the templates are filled with; longer ones stand before their parts."""
_TERM = re.compile(rf"\b({'|'.join(TERMS)})\b", re.IGNORECASE)


class Madlibs(Dataset):
    """76,564 short sentences, half of them toxic by their template: what is toxic never depends on the identity that a sentence names.

    ``group`` is that identity and ``user`` the sentence without it, so that a bootstrap draws templates whole. Half of the templates, by a keyed
    coin each, are for training, the others for testing.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = False

    kind: Literal["madlibs"]
    test_share: float = Field(default=0.5, gt=0, lt=1, description="Share of templates to test on, by a keyed coin each: the same for every seed.")

    @property
    def has_groups(self) -> bool:
        """The identity that a sentence names."""
        return True

    def content_digest(self) -> str:
        """Digest of the pinned file."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The sentences, in two parts."""
        import pandas as pd

        from tasks.core.seeds import uniform

        table = pd.read_csv(fetch("madlibs", SOURCES[0], cache), keep_default_na=False)
        templates = [template_of(text) for text in table["Text"]]
        columns = {
            "text": table["Text"].to_list(),
            "label": ["toxic" if label == "BAD" else "normal" for label in table["Label"]],
            "user": templates,
            "group": [identity_in(text) for text in table["Text"]],
        }
        coins = {template: uniform(0, "test-share", template) < self.test_share for template in sorted(set(templates))}
        test = pd.Series([coins[template] for template in templates], dtype=bool).to_numpy()
        records = pd.DataFrame(columns)
        return RawData({"train": records[~test], "test": records[test]}, {"licence": "Apache-2.0", "url": SOURCES[0].url, "sha256": SOURCES[0].sha256})


def identity_in(text: str) -> str | None:
    """The identity that a sentence names, in lower case; the first one."""
    found = _TERM.search(text)
    return found.group(1).lower() if found else None


def template_of(text: str) -> str:
    """The sentence without the identity."""
    return _TERM.sub("IDENTITY", text, count=1)
