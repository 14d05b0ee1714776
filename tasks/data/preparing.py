"""From raw records to prepared data: checked, identified, limited, pooled, described."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.seeds import uniform
from tasks.data.columns import NEEDED
from tasks.data.dataset import DataError, Dataset, RawData
from tasks.data.pools import as_text, content_keys, distinct, split_pools

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("text", "label", "tokens", "slots", "user", "time", "group", "rating", "context", "answer", "answer_start", "target")


def write_prepared(data: Dataset, raw: RawData, seed: int, folder: Path) -> None:
    """Write the splits and ``data.json``. Raises DataError, naming the row, for records that cannot be used."""
    splits = {name: _checked(_of_period(records, data, name), data, name) for name, records in raw.splits.items()}
    removed = 0
    if "train" not in splits and (data.limit is not None or data.attack_holdout):
        raise DataError(f"{data.kind}: limit and attack_holdout are of training records, and there are none")
    if data.limit is not None:
        splits["train"] = _limited(splits["train"], data.limit)
    if data.attack_holdout and data.public_size is not None:
        before = len(splits["train"])
        members = distinct(splits["train"])
        removed = before - len(members)
        by_user = data.attack_holdout_by == "user"
        if by_user and ("user" not in members or members["user"].isna().any()):
            raise DataError(f"{data.kind}: attack_holdout_by is the user, and records name none: name a user for each, or leave it out")
        splits["train"], splits["nonmembers"] = split_pools(members, data.public_size, data.attack_holdout, seed, "user" if by_user else "id")
    for name, records in splits.items():
        records.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "data.json").write_text(json.dumps(_facts(data, raw, splits, removed), indent=1, ensure_ascii=False) + "\n")


def _of_period(records: pd.DataFrame, data: Dataset, split: str) -> pd.DataFrame:
    return records if data.period is None else data.period.of(records, f"{data.kind}, split {split}")


def _checked(records: pd.DataFrame, data: Dataset, split: str) -> pd.DataFrame:
    """The known columns, every needed value there, with an id per record."""
    needed = NEEDED.get(data.resolved_task, ("text",))
    absent = [column for column in needed if column not in records]
    if absent:
        raise DataError(f"{data.kind}, split {split}: task '{data.resolved_task}' needs the columns {', '.join(absent)}")
    if len(records) == 0:
        raise DataError(f"{data.kind}, split {split}: no records")
    for column in needed:
        place = _first(records, records[column].map(_is_empty))
        if place is not None:
            raise DataError(f"{data.kind}, split {split}: record {place} has no {column}")
    if "tokens" in needed:
        place = _first(records, records["tokens"].map(len) != records["slots"].map(len))
        if place is not None:
            raise DataError(f"{data.kind}, split {split}: record {place} has unequal numbers of tokens and slots")
    if "answer_start" in needed:
        records = _answered(records, f"{data.kind}, split {split}")
    kept = records[[column for column in COLUMNS if column in records]].reset_index(drop=True)
    kept.insert(0, "id", _ids(kept))
    return kept


def _is_empty(value: Any) -> bool:
    return value is None or value != value or (hasattr(value, "__len__") and len(value) == 0)


def _answered(records: pd.DataFrame, where: str) -> pd.DataFrame:
    """With whole numbers for places. Raises DataError for an answer that does not stand in its context at its place."""
    wrong = [
        start < 0 or start != int(start) or context[int(start) : int(start) + len(answer)] != answer
        for context, answer, start in zip(records["context"], records["answer"], records["answer_start"], strict=True)
    ]
    if any(wrong):
        place = int(records.index[wrong.index(True)]) + 1
        raise DataError(f"{where}: the answer of record {place} does not stand in its context at answer_start, counted in characters from 0")
    return records.assign(answer_start=records["answer_start"].astype(int))


def _first(records: pd.DataFrame, wrong: pd.Series) -> int | None:
    """The place, from 1, of the first wrong record in the table that it was read from; None where all are right."""
    return int(records.index[int(wrong.to_numpy(dtype=bool).argmax())]) + 1 if wrong.any() else None


def _ids(records: pd.DataFrame) -> pd.Series:
    """A stable name per record: its content, its user, and which of several equal ones it is."""
    keys = content_keys(records)
    if "user" in records:
        keys = keys + "\x1f" + records["user"].map(as_text)
    occurrence = keys.groupby(keys).cumcount().astype(str)
    return (keys + "\x1f" + occurrence).map(lambda key: hashlib.blake2b(key.encode(), digest_size=12).hexdigest())


def _limited(records: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The records with the smallest keyed coins, in their old order: the same for every seed."""
    coins = records["id"].map(lambda record: uniform(0, "limit", str(record)))
    return records.loc[coins.nsmallest(limit).index.sort_values()].reset_index(drop=True)


def _facts(data: Dataset, raw: RawData, splits: dict[str, pd.DataFrame], removed: int) -> dict[str, Any]:
    needed = NEEDED.get(data.resolved_task, ("text",))
    labels = sorted({label for records in splits.values() for label in records["label"]}) if "label" in needed else []
    slots = sorted({slot for records in splits.values() for tags in records["slots"] for slot in tags} - {"O"}) if "slots" in needed else []
    nonmembers = len(splits["nonmembers"]) if "nonmembers" in splits else 0
    return {
        "kind": data.kind,
        "task": data.resolved_task,
        "labels": labels,
        "slots": ["O", *slots] if "slots" in needed else [],
        **counted(splits),
        "columns": [column for column in next(iter(splits.values())).columns if column != "id"],
        "duplicates_removed": removed,
        "attack_holdout": data.attack_holdout,
        "nonmembers": nonmembers,
        "public_size": data.public_size,
        "population": data.population,
        "private": data.is_private,
        "source": dict(raw.facts),
    }


def counted(splits: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The facts that follow from the records of each split alone: how many, of which groups and how many users, and their digests."""
    return {
        "counts": {name: len(records) for name, records in splits.items()},
        "groups": {name: records["group"].value_counts().sort_index().to_dict() for name, records in splits.items() if "group" in records},
        "users": {name: int(records["user"].nunique()) for name, records in splits.items() if "user" in records},
        "digest": _digest(splits),
        "split_digests": {name: _digest({name: records}) for name, records in splits.items()},
    }


def _digest(splits: dict[str, pd.DataFrame]) -> str:
    """Digest of the records: split names and every value of every column, in order. Ids alone would miss case, time and group."""
    hasher = hashlib.sha256()
    for name in sorted(splits):
        hasher.update(f"{name}\x1e".encode())
        hasher.update(splits[name].to_json(orient="split", index=False, force_ascii=False).encode())
    return hasher.hexdigest()[:32]
