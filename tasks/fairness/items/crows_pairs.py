"""CrowS-Pairs (Nangia et al., EMNLP 2020): 1,508 pairs of sentences of nine types of bias. CC BY-SA 4.0."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from tasks.data.catalogue import Source, digest_of, fetch

BASE = "https://raw.githubusercontent.com/nyu-mll/crows-pairs/8aaac11c485473159ec9328a65253a5be9a479dc/data"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (("crows_pairs_anonymized.csv", "dfb36986ce0502abbaf7055b9176da3d08d48e07df1251991b5dfbcbceab9d0c"),)
)


@dataclass(frozen=True)
class CrowsPair:
    """Two sentences that differ in whom they are about. ``direction`` is ``stereo`` or ``antistereo``: what ``sent_more`` says of them."""

    id: str
    sent_more: str
    sent_less: str
    direction: str
    bias_type: str


def load(cache: Path) -> list[CrowsPair]:
    """Every pair, in the file's order."""
    with fetch("crows-pairs", SOURCES[0], cache).open(encoding="utf-8", newline="") as file:
        return [CrowsPair(row[""], row["sent_more"], row["sent_less"], row["stereo_antistereo"], row["bias_type"]) for row in csv.DictReader(file)]


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)
