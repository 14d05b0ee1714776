"""Soundness rules of utility metrics."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.utility.metric import UTILITY, UtilityMetric


def _does_not_judge(facts: Facts) -> bool:
    task = task_of(facts)
    members = (UTILITY.members().get(kind) for kind in facts.kinds("utility"))
    return task is not None and any(member is not None and issubclass(member, UtilityMetric) and task not in member.tasks for member in members)


RULES = (
    Rule(
        id="UTILITY-01",
        when=_does_not_judge,
        verdict="refuse",
        sentence="a utility metric here does not judge the task of the data (`assay components utility` lists tasks): remove it, or set data.task",
        source="the model gives no answer of the kind that the metric counts",
        path="utility",
    ),
)
