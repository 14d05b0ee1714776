"""Which records a model from elsewhere was trained on, so that it can be attacked: what it says itself, or what the data's split says."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tasks.data.pools import content_keys, distinct
from tasks.data.prepared import PreparedData
from tasks.data.preparing import counted
from tasks.models.model import ModelError


def write_members(members: str, model: Path, data: Path, folder: Path) -> None:
    """Write the splits, with members as ``train`` and others as ``nonmembers``, each content once and none in both, and ``data.json``.

    Args:
        members: ``recorded``: members are those of the training split that the model artifact names; others are the rest of it. ``train-split``: members
            are the training split, others the test split.
        model: the model artifact.
        data: prepared data without pools.
        folder: where to write.

    Raises:
        ModelError: where the model names no members, or none of this data.
    """
    prepared = PreparedData(data)
    splits = {name: prepared.split(name) for name in prepared.split_names}
    splits["train"], others = _recorded(splits["train"], model) if members == "recorded" else _by_split(splits)
    known = set(content_keys(splits["train"]))
    others = distinct(others)
    splits["nonmembers"] = others[~content_keys(others).isin(known)].reset_index(drop=True)
    for name, records in splits.items():
        records.to_parquet(folder / f"{name}.parquet", index=False)
    facts = {**prepared.facts, **counted(splits), "nonmembers": len(splits["nonmembers"])}
    (folder / "data.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _recorded(train: pd.DataFrame, model: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    named = set(json.loads((model / "data.json").read_text()).get("members", ()))
    if not named:
        raise ModelError("the model does not say which records it was trained on: write members: train-split, where the data's split is the one that it had")
    inside = train["id"].isin(named)
    if not inside.any():
        raise ModelError("none of the records that the model was trained on is in the training split of this data: give the data that it had")
    return distinct(train[inside].reset_index(drop=True)), train[~inside].reset_index(drop=True)


def _by_split(splits: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    if "test" not in splits:
        raise ModelError("members: train-split compares the training split with the test split, and the data has none")
    return distinct(splits["train"]), splits["test"]
