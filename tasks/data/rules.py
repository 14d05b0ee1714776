"""Soundness rules of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data.dataset import DATASETS, Dataset


def the_model(facts: Facts) -> Mapping[str, Any]:
    """The blocks of the model that a trial is about, ``model``, ``data`` and ``training``: its own, or of kinds with a list of models the one."""
    models = facts.get("models")
    if isinstance(models, list | tuple) and models and isinstance(models[0], Mapping):
        return models[0]
    return {name: facts.get(name) for name in ("model", "data", "training")}


def task_of(facts: Facts) -> str | None:
    """The task of a trial's data block, for rules; None where there is none, or the block itself is wrong."""
    data = the_model(facts).get("data")
    if not isinstance(data, Mapping):
        return None
    if data.get("task") is not None:
        return str(data["task"])
    member = DATASETS.members().get(str(data.get("kind")))
    return member.tasks[0] if member is not None and issubclass(member, Dataset) else None


def units_of(facts: Facts) -> int | None:
    """How many units of privacy the training split has, users where they are the unit, or devices; None where it is not known."""
    if facts.get("privacy.kind") == "dp-fedavg":
        natural = facts.get("partition.kind") == "natural"
        found = facts.get("facts.users.train") if natural and facts.get("partition.column", "user") == "user" else facts.get("partition.devices")
    else:
        found = facts.get("facts.users.train" if facts.get("privacy.unit.kind") == "user" else "facts.counts.train")
    return None if found is None else int(found)


def _public_size_above_data(facts: Facts) -> bool:
    if facts.get("federation"):
        return False  # how many devices there are is known once records were dealt
    size, train = facts.get("data.public_size"), units_of(facts)
    return size is not None and train is not None and abs(size - train) > 0.1 * size


RULES = (
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
        source="Near and Abuah, Programming Differential Privacy: rates and divisors that follow the true size leak it",
        path="data.public_size",
        stage="data",
    ),
)
