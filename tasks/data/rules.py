"""Soundness rules of data."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule


def _public_size_above_data(facts: Facts) -> bool:
    size, train = facts.get("data.public_size"), facts.get("facts.counts.train")
    return size is not None and train is not None and abs(size - train) > 0.1 * size


RULES = (
    Rule(
        id="DATA-01",
        when=lambda facts: bool(facts.get("attacks")) and not facts.get("data.attack_holdout"),
        verdict="refuse",
        sentence="attacks compare members with non-members of one pool: give data.attack_holdout and data.public_size",
        source="official splits differ: a text classifier tells CLINC150 train from test with AUC 0.67 (reference on privacy, 3.5)",
        path="data",
    ),
    Rule(
        id="DATA-02",
        when=lambda facts: facts.get("data.attack_holdout", 0) > facts.get("data.public_size", float("inf")),
        verdict="refuse",
        sentence="data.attack_holdout is larger than data.public_size: most records would not be trained on",
        source="the pools are drawn with probability holdout / (public size + holdout)",
        path="data.attack_holdout",
    ),
    Rule(
        id="DATA-03",
        when=_public_size_above_data,
        verdict="label",
        sentence="data.public_size differs from the number of training records by more than a tenth: rates and steps follow the public number",
        source="the true size is private where a guarantee is given (reference on privacy, 1.2)",
        path="data.public_size",
        stage="data",
    ),
)
