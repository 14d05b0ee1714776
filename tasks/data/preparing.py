"""From raw records to prepared data: checked, identified, limited, pooled, described."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.seeds import uniform
from tasks.data.dataset import DataError, Dataset, RawData
from tasks.data.pools import content_keys, distinct, split_pools

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("text", "label", "tokens", "slots", "user", "time", "group")
NEEDED = {
    "intent": ("text", "label"),
    "tagging": ("tokens", "slots"),
    "joint": ("text", "label", "tokens", "slots"),
    "lm": ("text",),
}


def write_prepared(data: Dataset, raw: RawData, seed: int, folder: Path) -> None:
    """Write the splits and ``data.json``. Raises DataError, naming the row, for records that cannot be used."""
    splits = {name: _checked(records, data, name) for name, records in raw.splits.items()}
    removed = 0
    if data.limit is not None:
        splits["train"] = _limited(splits["train"], data.limit)
    if data.attack_holdout and data.public_size is not None:
        before = len(splits["train"])
        members = distinct(splits["train"])
        removed = before - len(members)
        splits["train"], splits["nonmembers"] = split_pools(members, data.public_size, data.attack_holdout, seed)
    for name, records in splits.items():
        records.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "data.json").write_text(json.dumps(_facts(data, raw, splits, removed), indent=1, ensure_ascii=False) + "\n")


def _checked(records: pd.DataFrame, data: Dataset, split: str) -> pd.DataFrame:
    """The known columns, every needed value there, with an id per record."""
    needed = NEEDED.get(data.resolved_task, ("text",))
    absent = [column for column in needed if column not in records]
    if absent:
        raise DataError(f"{data.kind}, split {split}: task '{data.resolved_task}' needs the columns {', '.join(absent)}")
    if len(records) == 0:
        raise DataError(f"{data.kind}, split {split}: no records")
    for column in needed:
        values = records[column]
        empty = values.isna() | (values.map(len) == 0)
        if empty.any():
            raise DataError(f"{data.kind}, split {split}: record {int(empty.to_numpy().argmax()) + 1} has no {column}")
    if "tokens" in needed:
        unequal = records["tokens"].map(len) != records["slots"].map(len)
        if unequal.any():
            raise DataError(f"{data.kind}, split {split}: record {int(unequal.to_numpy().argmax()) + 1} has unequal numbers of tokens and slots")
    kept = records[[column for column in COLUMNS if column in records]].reset_index(drop=True)
    kept.insert(0, "id", _ids(kept))
    return kept


def _ids(records: pd.DataFrame) -> pd.Series:
    """A stable name per record: its content, its user, and which of several equal ones it is."""
    keys = content_keys(records)
    if "user" in records:
        keys = keys + "\x1f" + records["user"].astype(str)
    occurrence = keys.groupby(keys).cumcount().astype(str)
    return (keys + "\x1f" + occurrence).map(lambda key: hashlib.blake2b(key.encode(), digest_size=12).hexdigest())


def _limited(records: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The records with the smallest keyed coins, in their old order: the same for every seed."""
    coins = records["id"].map(lambda record: uniform(0, "limit", str(record)))
    return records.loc[coins.nsmallest(limit).index.sort_values()].reset_index(drop=True)


def _facts(data: Dataset, raw: RawData, splits: dict[str, pd.DataFrame], removed: int) -> dict[str, Any]:
    labels = sorted({label for records in splits.values() if "label" in records for label in records["label"]})
    slots = sorted({slot for records in splits.values() if "slots" in records for tags in records["slots"] for slot in tags} - {"O"})
    nonmembers = len(splits["nonmembers"]) if "nonmembers" in splits else 0
    return {
        "kind": data.kind,
        "task": data.resolved_task,
        "labels": labels if data.resolved_task in ("intent", "joint") else [],
        "slots": ["O", *slots] if data.resolved_task in ("tagging", "joint") else [],
        "counts": {name: len(records) for name, records in splits.items()},
        "groups": {name: records["group"].value_counts().sort_index().to_dict() for name, records in splits.items() if "group" in records},
        "users": {name: int(records["user"].nunique()) for name, records in splits.items() if "user" in records},
        "columns": [column for column in splits["train"].columns if column != "id"],
        "digest": _digest(splits),
        "split_digests": {name: _digest({name: records}) for name, records in splits.items()},
        "duplicates_removed": removed,
        "attack_holdout": data.attack_holdout,
        "nonmembers": nonmembers,
        "public_size": data.public_size,
        "population": data.population,
        "private": data.private,
        "source": dict(raw.facts),
    }


def _digest(splits: dict[str, pd.DataFrame]) -> str:
    """Digest of the records: split names and record ids in order, which follow from the contents."""
    hasher = hashlib.sha256()
    for name in sorted(splits):
        hasher.update(f"{name}\x1e".encode())
        hasher.update("\x1f".join(splits[name]["id"]).encode())
    return hasher.hexdigest()[:32]
