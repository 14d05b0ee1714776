"""Soundness rules of audits."""

from __future__ import annotations

from tasks.attacks.audit import Audit
from tasks.attacks.canary_rules import SERVED
from tasks.attacks.rules import given, is_loaded
from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of


def _audited(facts: Facts) -> bool:
    return any(True for _ in given(facts, Audit))


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
        when=lambda facts: _audited(facts) and facts.get("privacy.adjacency") == "replace-one",
        verdict="refuse",
        sentence="an audit's coins add records or leave them out, which bounds epsilon under add-remove alone: write privacy.adjacency: add-remove",
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
)
