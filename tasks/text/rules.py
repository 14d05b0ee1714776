"""Soundness rules of text."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule

PUBLIC_KINDS = ("shakespeare", "synthetic-assistant", "wikitext-2")


def _private_vocabulary(facts: Facts) -> bool:
    tokenizer = facts.get("model.tokenizer.kind")
    return tokenizer == "trained" and facts.get("model.tokenizer.corpus.kind") not in PUBLIC_KINDS


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
