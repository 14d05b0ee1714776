"""Rules on the facts of prepared data (how many records, how large the groups), checked as soon as the data is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.planning import Plan, PlannedTrial
from specs.loading import Label
from specs.soundness import findings
from tasks.core.rules import Finding
from tasks.core.store import DamagedArtifact, Store


@dataclass(frozen=True)
class DataChecks:
    """What the data rules say of a plan's trials whose data is prepared.

    Args:
        labels: rules that mark numbers, with the arms they mark.
        refused: the first rule that refuses a trial, by its name.
    """

    labels: tuple[Label, ...]
    refused: Mapping[str, Finding]


def check_data(plan: Plan) -> DataChecks:
    """Check every trial whose data the store has."""
    facts: dict[str, Mapping[str, Any] | None] = {}
    marked: dict[str, tuple[Finding, list[str]]] = {}
    refused: dict[str, Finding] = {}
    for planned in plan.trials:
        for finding in _findings(plan.store, planned, facts):
            if finding.rule.verdict == "refuse":
                refused.setdefault(planned.name, finding)
            else:
                marked.setdefault(finding.rule.id, (finding, []))[1].append(planned.trial.arm)
    return DataChecks(tuple(Label(finding, tuple(dict.fromkeys(arms))) for finding, arms in marked.values()), refused)


def labels(plan: Plan, checks: DataChecks) -> tuple[str, ...]:
    """Every label of a plan, in words: of the spec, then of the data."""
    found: Iterable[Label] = (*plan.loaded.labels, *checks.labels)
    return tuple(str(label) for label in found)


def _findings(store: Store, planned: PlannedTrial, facts: dict[str, Mapping[str, Any] | None]) -> list[Finding]:
    key = planned.graph.data.key
    if key not in facts:
        try:
            facts[key] = json.loads((store.open(key) / "data.json").read_text())
        except DamagedArtifact:
            facts[key] = None
    found = facts[key]
    return [] if found is None else findings({**planned.trial.study.facts(), "facts": found}, stage="data")
