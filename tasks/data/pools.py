"""Pools of members and non-members: one coin per distinct record, before any training.

Official splits differ by more than chance (a text classifier tells them apart), so an attack that compares train with test
measures the split. A keyed coin per record makes the two pools alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.seeds import uniform

if TYPE_CHECKING:
    import pandas as pd


def content_keys(records: pd.DataFrame) -> pd.Series:
    """What the model sees of each record, as text: equal keys are duplicates."""
    parts = []
    for column in ("text", "label", "tokens", "slots", "context", "answer", "answer_start", "target"):
        if column in records:
            values = records[column]
            parts.append(values.map(" ".join) if column in ("tokens", "slots") else values.map(as_text))
    keys = parts[0].str.casefold()
    for part in parts[1:]:
        keys = keys + "\x1f" + part
    return keys


def as_text(value: Any) -> str:
    """A value as text; a missing one is empty."""
    return "" if value is None or value != value else str(value)


def distinct(records: pd.DataFrame) -> pd.DataFrame:
    """The first record of every content."""
    return records[~content_keys(records).duplicated()].reset_index(drop=True)


def split_pools(records: pd.DataFrame, public_size: int, attack_holdout: int, seed: int, by: str = "id") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Members and non-members: each record, or each user with ``by`` the column ``user``, is held out with probability holdout / (public size + holdout).

    The number held out is random and never used by a mechanism; two arms of one seed share pools.
    """
    probability = attack_holdout / (public_size + attack_holdout)
    out = records[by].map(lambda unit: uniform(seed, "attack-holdout", str(unit)) < probability).astype(bool)
    return records[~out].reset_index(drop=True), records[out].reset_index(drop=True)
