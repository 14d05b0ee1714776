"""Soundness rules of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data.dataset import DATASETS, Dataset

PUBLIC_KINDS = ("shakespeare", "synthetic-assistant")
"""Beside those that say so themselves: plays, and sentences that nobody said."""


def _public(block: Any) -> bool:
    """Whether a data block holds nobody's private text: it says so, and so do the blocks inside it."""
    if not isinstance(block, Mapping):
        return False
    inside = [*(block.get("parts") or ()), *([block["data"]] if "data" in block else ())]
    if inside:
        return all(_public(part) for part in inside)
    member = DATASETS.members().get(str(block.get("kind")))
    return block.get("kind") in PUBLIC_KINDS or (member is not None and issubclass(member, Dataset) and not member.private)


def _private_vocabulary(facts: Facts) -> bool:
    tokenizer = facts.get("model.tokenizer.kind")
    return tokenizer == "trained" and not _public(facts.get("model.tokenizer.corpus"))


RULES = (
    Rule(
        id="TEXT-01",
        when=_private_vocabulary,
        verdict="label",
        sentence="the vocabulary is learnt from people's text without privacy: it can reveal words; use a public corpus, or hashing or bytes",
        source="a vocabulary fitted on private text is a release that no budget was charged for",
        path="model.tokenizer.corpus",
    ),
)
