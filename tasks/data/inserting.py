"""Prepared data with records inserted: the same splits and facts, and what was added told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tasks.data.insertion import SPLIT, Insertion
from tasks.data.prepared import PreparedData
from tasks.data.preparing import counted


def write_inserted(insertion: Insertion, prepared: PreparedData, seed: int, folder: Path) -> None:
    """Write the splits of prepared data with what is inserted, the split ``canaries`` and ``data.json``. The public size stays as it was.

    Raises:
        DataError: for a task or data that the insertion does not serve.
    """
    found = insertion.insert(prepared, seed)
    splits = {name: prepared.split(name) for name in prepared.split_names}
    for name, added in found.records.items():
        splits[name] = pd.concat([splits[name], added], ignore_index=True) if len(added) else splits[name]
    splits[SPLIT] = found.listed
    for name, records in splits.items():
        records.to_parquet(folder / f"{name}.parquet", index=False)
    facts = {
        **prepared.facts,
        **counted(splits),
        "labels": [*prepared.labels, *found.labels],
        "slots": [*prepared.slots, *found.slots],
        "inserted": {"kind": insertion.kind, **found.facts},
    }
    (folder / "data.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
