"""Soundness rules of private checks."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.rules import Facts, Rule
from tasks.privacy.rules import private
from tasks.utility.metric import UTILITY, UtilityMetric


def _no_bound(facts: Facts) -> bool:
    """Whether private checks score what no public number bounds."""
    first = next(iter(facts.get("utility") or ()), None)
    member = UTILITY.members().get(str(first.get("kind"))) if isinstance(first, Mapping) else None
    if not facts.get("evaluation.private") or member is None or not issubclass(member, UtilityMetric):
        return False
    return member.record_bounds(facts.get("evaluation.private.most_loss")) is None


RULES = (
    Rule(
        id="FED-43",
        when=lambda facts: bool(facts.get("evaluation.private")) and facts.get("data.public_size") is None,
        verdict="refuse",
        sentence="private checks ask devices by coins of a public rate: give data.public_size, the public number of devices",
        source="of a fixed number of devices, one that comes displaces another, and the sums move by two",
        path="evaluation.private",
    ),
    Rule(
        id="FED-44",
        when=lambda facts: bool(facts.get("evaluation.private")) and facts.get("federation.timeline.kind", "static") != "static",
        verdict="refuse",
        sentence="private checks are of all test records, and windows are cut where everybody's records say: write federation.timeline: {kind: static}",
        source="derived: cuts at quantiles of private times move with every device",
        path="evaluation.private",
    ),
    Rule(
        id="FED-45",
        when=_no_bound,
        verdict="refuse",
        sentence="no public number bounds what a record adds to the sums of the first utility metric: put accuracy first, or loss with "
        "evaluation.private.most_loss",
        source="the noise of a sum is in proportion to what one user can add to it (Dwork et al., TCC 2006)",
        path="evaluation.private",
    ),
    Rule(
        id="FED-46",
        when=lambda facts: bool(facts.get("evaluation.private")) and private(facts),
        verdict="label",
        sentence="epsilon covers the model and its checks, whose scores are of noisy sums; utility at the end, by activity, coverage and costs are measured on "
        "private records without noise",
        source="numbers beside them are further releases",
        path="evaluation.private",
    ),
    Rule(
        id="FED-47",
        when=lambda facts: bool(facts.get("evaluation.private")) and not private(facts),
        verdict="label",
        sentence="the checks are private and the model is not: privacy/epsilon_evaluation says nothing of what the model gives away",
        source="a guarantee is of what it composes",
        path="evaluation.private",
    ),
)
