"""WEAT and SEAT (Caliskan et al., Science 2017; May et al., NAACL 2019): word and sentence tests. CC BY-NC 4.0: measured with, never shipped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tasks.data.catalogue import Source, digest_of, fetch

BASE = "https://raw.githubusercontent.com/W4ngatang/sent-bias/e3559fb669ca4832743b42fee715994c15c7f1af/tests"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("sent-weat1.jsonl", "ff493f29fa0e0984b67e1502b0c04688473e189fd6d107c91054507ed73ff77a"),
        ("sent-weat10.jsonl", "04dd864639909052e2ee1f386cfc0a99b5d5311c7c3ab0411396a6f5ddf0aeae"),
        ("sent-weat2.jsonl", "58378442b8894e6987250a4ca52fc36495429c85695e9dcf952e9c4c31626609"),
        ("sent-weat3.jsonl", "1e1b9f89f518ad5bba47cbe5bd1d08d679b296b3eb640ee0b060f080c5d7ffef"),
        ("sent-weat3b.jsonl", "8db3f84b109031a8b86392fbd4544ca1b29f361d98b30b1e83a82b1ca60ee351"),
        ("sent-weat4.jsonl", "5eb5a2bc5b36d8c0567b1992aea7adb015f3e170e4d24a220c2dca763f59a418"),
        ("sent-weat5.jsonl", "2478d808135759371ee43754fa8efd89a928e434ad2981df61726b7328c5fb47"),
        ("sent-weat5b.jsonl", "c0af61519bee074d0c3218bf8e5537b10fae5d795230422cd7bff92f90cafc26"),
        ("sent-weat6.jsonl", "bcf1a6864e3da0e8982d70451721877f23e2efaf6aea33628df843d826b68ae2"),
        ("sent-weat6b.jsonl", "8d1dd09833d1854784503c2eb9986d1951d684fb3289a18da85e72fa1e59e4ff"),
        ("sent-weat7.jsonl", "86c151b640bc9ebf6f60cd94920ab1f5bff68ea1a993f322f729cf3620173e0f"),
        ("sent-weat7b.jsonl", "16b7c23eb529421b411b508b2928b0d62e52cbb80cf40f8e9acbdfb52cd75350"),
        ("sent-weat8.jsonl", "352fea8d5440800a219dd6141a6f5e414a708770bc2717bfc581bc249e108ded"),
        ("sent-weat8b.jsonl", "c410535cac813f806d20a7f76f4bea62ee44f98d8828f8f0ac6a4b7694c414bc"),
        ("sent-weat9.jsonl", "dd1b60d64dedde7ce532915a6a39cd8ec7d036e90896a6a854bfcd6315866c6c"),
        ("weat1.jsonl", "c12c192a4b8011590cfe7de237cb2e0dbcd0e7328e3b7baf63869ccfd61bc0ea"),
        ("weat10.jsonl", "4878efc95d1bbb9c482fc90a5c2c379f9b5a990c7ea9e61f13611fff355a23bc"),
        ("weat2.jsonl", "d907a10b5a84a72f4e60bf069562565aa88b0e0c84e26adb38a75536718e25b9"),
        ("weat3.jsonl", "99e5fdbfe3749608afb803eb55d1fb291f81399862ba4cc2b21461ae82215bf7"),
        ("weat3b.jsonl", "1642a16492fb2e65ff84c858f81ee50737825b96cc0ce880f3409b4dc2e8dd5a"),
        ("weat4.jsonl", "c0d0c606d20a0ccb8759dcbddaea1b692a860e9dbeea2ccdcade3e3c25868dbb"),
        ("weat5.jsonl", "7e1ac48a1c8b549200ce5e4c9ed7fd6f0c2c766485d04e73adee05358a9b3224"),
        ("weat5b.jsonl", "95d5e31bebbe612274fcde0bb311c6fe012f26623522ac4a2b2c9a78ddbb9d2a"),
        ("weat6.jsonl", "21681d3f4d7fdf97cf4cd2c0f9160940cfbd797ec62c7621b5600dc9e6e5b248"),
        ("weat6b.jsonl", "b6c85b5228a3786827b528af3d633fbbddc4fbf05d93e6ceb6f76a4881386c1d"),
        ("weat7.jsonl", "c7e68ec95e30f42df3faa9e1ba933596c9e49651e0017bb90c19d0f58312f2b0"),
        ("weat7b.jsonl", "714c42ccf6ec71113fcb2064daa7b4dfc80b0cd4bb191c8d0196053681a9792b"),
        ("weat8.jsonl", "86e650b44e8fd539a9082564f5ede5dae2ed67d120938b9c92a7495f143801e9"),
        ("weat8b.jsonl", "db822460372ae472b8cf8fd41a44ca13e4f166bb9ee05ea13a983fe0301016ef"),
        ("weat9.jsonl", "e4c9ab7cd719dcc05a2bd86c390de31ae2778db3c362b360206c0491751fe9f7"),
    )
)


@dataclass(frozen=True)
class AssociationTest:
    """Targets X and Y, attributes A and B; ``categories`` are their names in that order."""

    name: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    categories: tuple[str, str, str, str]


NAMES = tuple(source.name.removesuffix(".jsonl") for source in SOURCES)
"""Of all tests: ``weat6``, ``sent-weat6b``."""


def load(cache: Path) -> dict[str, AssociationTest]:
    """Every test by its name."""
    return {name: load_test(name, cache) for name in NAMES}


def load_test(name: str, cache: Path) -> AssociationTest:
    """One test. Raises KeyError for an unknown name."""
    found = [source for source in SOURCES if source.name == f"{name}.jsonl"]
    if not found:
        raise KeyError(name)
    parts = json.loads(fetch("seat", found[0], cache).read_text(encoding="utf-8"))
    lists = [parts[part] for part in ("targ1", "targ2", "attr1", "attr2")]
    words = [tuple(part["examples"]) for part in lists]
    return AssociationTest(name, words[0], words[1], words[2], words[3], tuple(part["category"] for part in lists))


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)
