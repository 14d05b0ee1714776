"""Soundness rules of models."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.models.model import MODELS, Model


def _not_served(facts: Facts) -> bool:
    member = MODELS.members().get(str(facts.get("model.kind")))
    task = task_of(facts)
    return task is not None and member is not None and issubclass(member, Model) and task not in member.tasks


RULES = (
    Rule(
        id="MODEL-01",
        when=_not_served,
        verdict="refuse",
        sentence="this model does not serve the task of the data: choose another model, or set data.task (`assay components model` lists tasks)",
        source="the network has no answer layer for the task",
        path="model.kind",
    ),
)
