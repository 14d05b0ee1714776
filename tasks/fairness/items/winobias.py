"""WinoBias (Zhao et al., NAACL 2018): sentences whose pronoun goes with an occupation's stereotype, or against it. MIT licence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.data.catalogue import Source, digest_of, fetch

BASE = "https://raw.githubusercontent.com/uclanlp/corefBias/0bce984dd081bbc10b0622f326727a024c607895/WinoBias/wino/data"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("anti_stereotyped_type1.txt.dev", "a4e0ebae344e78b56f657a42e8ae684b9db7747d177c5e7149c0907ebb7f3bf6"),
        ("anti_stereotyped_type1.txt.test", "331db5bd74bfefebf146a60b67645152a4a1991570d2a56f57154103ac361dd2"),
        ("anti_stereotyped_type2.txt.dev", "763ad829ad724f9a85ead689ba8ca69072020cb1238def6210f0fc6a47b97e59"),
        ("anti_stereotyped_type2.txt.test", "336571ac1ea8c06cd2aba8e5dd2bd98e00acc0c48da3e4ec5ec7e54eb2633a8f"),
        ("female_occupations.txt", "693bff12286c2c1d46c7d4d45a44a631574710c30b39c1a3001bb7bdebb44ed8"),
        ("male_occupations.txt", "6b82d88847b69d56d207a0c396e9830b031890de585e916e6b4e9bc50672657e"),
        ("pro_stereotyped_type1.txt.dev", "dd55a0d220fe4c0ceb63dd4648223fb4fe1a58d5ad95c116a002ad24b0e292a5"),
        ("pro_stereotyped_type1.txt.test", "db7838907238a758eeb5779e48f38c013b892910d6fe864456c59f04245c6689"),
        ("pro_stereotyped_type2.txt.dev", "8f0250de723cea9328e3eaf7169e07936f01aa5909ce7aa580db66eb803f4e86"),
        ("pro_stereotyped_type2.txt.test", "ea1c1fd94fa612e3cc44d7fa3cc4cb76021bb63fdf94f9826f430051e9052438"),
    )
)

_BRACKETS = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True)
class WinoPair:
    """A pro- and an anti-stereotypical sentence, without brackets. Type 2 has a syntactic cue to who is meant, type 1 has none."""

    id: str
    type: int
    split: Literal["dev", "test"]
    line: int
    pro: str
    anti: str


def load(cache: Path) -> list[WinoPair]:
    """The pairs, by line number, of lines with exactly two brackets on both sides; the others cannot be paired by what they mark."""
    return [pair for pair in _all(cache) if pair is not None]


def left_out(cache: Path) -> int:
    """How many pairs are left out."""
    return sum(pair is None for pair in _all(cache))


def _all(cache: Path) -> list[WinoPair | None]:
    found: list[WinoPair | None] = []
    for number in (1, 2):
        for split in ("dev", "test"):
            pro, anti = (_lines(f"{way}_stereotyped_type{number}.txt.{split}", cache) for way in ("pro", "anti"))
            for row, (one, other) in enumerate(zip(pro, anti, strict=True)):
                fits = all(len(_BRACKETS.findall(text)) == 2 for text in (one, other))
                found.append(WinoPair(f"{number}/{split}/{row}", number, split, row, _plain(one), _plain(other)) if fits else None)
    return found


def _lines(name: str, cache: Path) -> list[str]:
    source = next(source for source in SOURCES if source.name == name)
    return [line.strip().partition(" ")[2] for line in fetch("winobias", source, cache).read_text(encoding="utf-8").splitlines() if line.strip()]


def _plain(text: str) -> str:
    return _BRACKETS.sub(r"\1", text)


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)
