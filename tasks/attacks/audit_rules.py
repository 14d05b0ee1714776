"""Soundness rules of audits."""

from __future__ import annotations

from tasks.attacks.audit import Audit
from tasks.attacks.rules import given, is_loaded
from tasks.core.rules import Facts, Rule
from tasks.data.canary import SERVED
from tasks.data.rules import task_of, units_of


def _audited(facts: Facts) -> bool:
    return any(True for _ in given(facts, Audit))


def _overfull(facts: Facts) -> bool:
    """Whether the models of an audit could be trained on more units than the account of a sampler counts on."""
    size, units = facts.get("data.public_size"), units_of(facts)
    if facts.get("privacy.sampler.kind") != "truncated-poisson" or size is None or units is None:
        return False
    return any(units + fields.get("canaries", 0) > size for _, fields in given(facts, Audit))


RULES = (
    Rule(
        id="ATTACK-30",
        when=lambda facts: _audited(facts) and (is_loaded(facts) or facts.get("kind") == "fairness-evaluation"),
        verdict="refuse",
        sentence="an audit trains models with records of its own among the data, and these models are not trained here so: audit the training, or attack the "
        "model by loss-threshold or quantile",
        source="Steinke, Nasr and Jagielski, NeurIPS 2023: the coins must fall before the training",
        path="attacks",
    ),
    Rule(
        id="ATTACK-31",
        when=lambda facts: _audited(facts) and (facts.get("privacy.adjacency") == "replace-one" or facts.get("privacy.sampler.kind") == "shuffle"),
        verdict="refuse",
        sentence="an audit's coins add records or leave them out, which bounds epsilon under add-remove alone: write privacy.adjacency: add-remove, "
        "and another sampler than shuffle",
        source="Steinke, Nasr and Jagielski, NeurIPS 2023, definition 1",
        path="privacy.adjacency",
    ),
    Rule(
        id="ATTACK-32",
        when=lambda facts: _audited(facts) and task_of(facts) not in (*SERVED, None),
        verdict="refuse",
        sentence=f"no records can be made for an audit of this task: choose data.task of {', '.join(SERVED)}",
        source="an audit's records are strange texts with answers drawn at random",
        path="attacks",
    ),
    Rule(
        id="ATTACK-33",
        when=lambda facts: any(member.assumes for member, _ in given(facts, Audit)),
        verdict="label",
        sentence="bounds of one-run-f-dp hold where the trade-off curve is a Gaussian's, those of gdp where also the scores of one model are independent; "
        "one-run and clopper-pearson assume nothing",
        source="Mahloujifar, Melis and Chaudhuri 2024; Nasr et al., USENIX Security 2023",
        path="attacks",
    ),
    Rule(
        id="ATTACK-34",
        when=_overfull,
        verdict="refuse",
        sentence="the accountant of truncated-poisson counts on at most data.public_size units, and an audit's records come on top: lower its canaries, "
        "or write sampler: {kind: poisson}",
        source="a batch of more records is cut more often, and then one record pushes out another (Ganesh et al. 2025, arXiv 2508.15089)",
        path="attacks",
        stage="data",
    ),
)
