"""What a valid BIO sequence is, said without the code under test."""

from __future__ import annotations

from collections.abc import Sequence


def is_bio(tags: Sequence[str]) -> bool:
    """Whether every I- continues an entity of its own type."""
    before = "O"
    for tag in tags:
        if tag != "O" and tag[:2] not in ("B-", "I-"):
            return False
        if tag.startswith("I-") and before not in (f"B-{tag[2:]}", f"I-{tag[2:]}"):
            return False
        before = tag
    return True
