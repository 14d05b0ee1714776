"""BBQ (Parrish et al., Findings of ACL 2022): questions whose context tells too little, or enough. CC BY 4.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.data.catalogue import Source, digest_of, fetch

BASE = "https://raw.githubusercontent.com/nyu-mll/BBQ/bea11bd97d79217245b5871acd247b9d6eb24598/data"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("Age.jsonl", "46e805b3fc2d8cbd26eeb8e8430d98cf7b2dc9c83574ff3674e8ce4f0fca2a60"),
        ("Religion.jsonl", "cb9555f9f3454a52cd2df85956b59bd7fcca5aa922c8527693b1164d08417616"),
        ("Sexual_orientation.jsonl", "2c71036b9e7584fe589c42aef32c1a42bc01b9a5e9b1b8704342630cdb08cefd"),
    )
)

UNKNOWN = "unknown"


@dataclass(frozen=True)
class BbqItem:
    """A question with three options.

    ``unknown`` is the option that says that it cannot be known, ``stereotyped`` the one that names the stereotyped group; None where not
    exactly one of the others does. ``polarity`` is ``neg`` or ``nonneg``.
    """

    id: str
    category: str
    question_index: str
    polarity: str
    ambiguous: bool
    context: str
    question: str
    options: tuple[str, str, str]
    unknown: int
    stereotyped: int | None
    label: int


def load(cache: Path) -> list[BbqItem]:
    """Every item of the categories at hand."""
    lines = (line for source in SOURCES for line in fetch("bbq", source, cache).read_text(encoding="utf-8").splitlines())
    return [_item(json.loads(line)) for line in lines if line.strip()]


def _item(values: dict[str, Any]) -> BbqItem:
    about = [values["answer_info"][f"ans{option}"][1] for option in range(3)]
    unknown = about.index(UNKNOWN)
    groups = {group.lower() for group in values["additional_metadata"]["stereotyped_groups"]}
    named = [option for option in range(3) if option != unknown and about[option].lower() in groups]
    return BbqItem(
        id=f"{values['category']}/{values['example_id']}",
        category=values["category"],
        question_index=f"{values['category']}/{values['question_index']}",
        polarity=values["question_polarity"],
        ambiguous=values["context_condition"] == "ambig",
        context=values["context"],
        question=values["question"],
        options=tuple(values[f"ans{option}"] for option in range(3)),
        unknown=unknown,
        stereotyped=named[0] if len(named) == 1 else None,
        label=values["label"],
    )


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)
