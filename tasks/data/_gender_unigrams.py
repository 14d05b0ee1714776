"""The gender that a text tells, by counting eighteen English words (the unigram lists of Dhamala et al., FAccT 2021), and texts without these words."""

from __future__ import annotations

import re
from typing import Literal

MALE = frozenset(["he", "him", "his", "himself", "man", "men", "he's", "boy", "boys"])
FEMALE = frozenset(["she", "her", "hers", "herself", "woman", "women", "she's", "girl", "girls"])

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_GENDERED = re.compile(rf"\b(?:{'|'.join(sorted(MALE | FEMALE))})(?:['\u2019]s)?\b", re.IGNORECASE)
_BEFORE_MARK = re.compile(r"\s+([,.;:!?)])")


def gender_of(text: str) -> Literal["female", "male"] | None:
    """``female`` where a text has more of the nine female words than of the nine male ones, ``male`` where fewer; None where it has none or as many."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    female, male = sum(word in FEMALE for word in words), sum(word in MALE for word in words)
    return None if female == male else "female" if female > male else "male"


def without_gender(text: str) -> str:
    """The text without the eighteen words and their possessives, white space closed up; names, kin and other gendered words stay."""
    return _BEFORE_MARK.sub(r"\1", " ".join(_GENDERED.sub(" ", text).split()))
