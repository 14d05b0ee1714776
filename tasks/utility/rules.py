"""Soundness rules of utility metrics."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.utility.metric import UTILITY, UtilityMetric


def _does_not_judge(facts: Facts) -> bool:
    task = task_of(facts)
    members = (UTILITY.members().get(kind) for kind in facts.kinds("utility"))
    return task is not None and any(member is not None and issubclass(member, UtilityMetric) and task not in member.tasks for member in members)


def _other_baseline(facts: Facts) -> bool:
    from tasks.utility.metrics.baseline_gain import SCORED

    task = task_of(facts)
    blocks = facts.get("utility") or ()
    overs = [block.get("over") for block in blocks if isinstance(block, Mapping) and block.get("kind") == "baseline-gain"]
    return task is not None and any(over in SCORED and task not in SCORED[over][1] for over in overs)


RULES = (
    Rule(
        id="UTILITY-01",
        when=_does_not_judge,
        verdict="refuse",
        sentence="a utility metric here does not judge the task of the data (`assay components utility` lists tasks): remove it, or set data.task",
        source="the model gives no answer of the kind that the metric counts",
        path="utility",
    ),
    Rule(
        id="UTILITY-02",
        when=_other_baseline,
        verdict="refuse",
        sentence="a baseline-gain here is over a trivial model of another task: majority is for labels, most-frequent-tag and word-tags for tags, unigram "
        "for answers in passages and summaries",
        source="a trivial model answers what its task asks",
        path="utility",
    ),
)
