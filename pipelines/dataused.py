"""The data of a trial as its run names it: what was trained on, by the digest of all of it, and what was tested on, by the digest of that split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from tasks.core.places import shown_uri
from tasks.runtime.mlflow_.datasets import DataUsed

LISTS = ("tokens", "slots")
"""Columns that hold a list of words per record."""
TESTED = "test"


def data_used(facts: Mapping[str, Any]) -> tuple[DataUsed, ...]:
    """From the facts of prepared data (``data.json``), which hold counts and names of groups and labels, never a text."""
    if not facts["split_digests"]:  # a model that was loaded: its data was not read here
        return ()
    source_type, source = _source(facts)
    columns = {name: "array" if name in LISTS else "string" for name in facts["columns"]}
    whole = _profile(facts, "train") | _whole(facts)
    trained = DataUsed(_name(facts), facts["digest"], "training", source_type, source, columns, whole)
    if TESTED not in facts["split_digests"]:
        return (trained,)
    tested = {"name": f"{trained.name} {TESTED}", "digest": facts["split_digests"][TESTED], "context": "testing", "profile": _profile(facts, TESTED)}
    return trained, replace(trained, **tested)


def _name(facts: Mapping[str, Any]) -> str:
    """The kind, or the stem of the first file: its folder is nobody's business."""
    files = facts["source"].get("files")
    return PurePath(files[0]).stem if files else str(facts["kind"])


def _source(facts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The type and the place of the source, as MLflow has them."""
    source = facts["source"]
    if "url" in source:
        return "http", {"url": shown_uri(str(source["url"]))}
    if "hub" in source:
        return "hugging_face", {"path": source["hub"], "config_name": source.get("config"), "revision": source.get("revision")}
    if "files" in source:
        return "local", {"uri": ", ".join(PurePath(name).name for name in source["files"])}
    return "code", {"tags": {"made by": f"data kind {facts['kind']}"}}


def _profile(facts: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Counts of a split."""
    counted = {"num_rows": facts["counts"].get(split), "groups": facts["groups"].get(split), "users": facts["users"].get(split)}
    return {name: value for name, value in counted.items() if value is not None}


def _whole(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of all splits together."""
    names = ("public_size", "attack_holdout", "population")
    known = {
        "task": facts["task"],
        "splits": facts["counts"],
        "labels": len(facts["labels"]),
        "slot tags": len(facts["slots"]),
        **{name.replace("_", " "): facts[name] for name in names},
        "licence": facts["source"].get("licence"),
    }
    return {name: value for name, value in known.items() if value}
