"""Soundness rules of attacks."""

from __future__ import annotations

from tasks.attacks.attack import compares_pools
from tasks.attacks.attacks.loss_threshold import FEWEST
from tasks.core.rules import Facts, Rule


def _too_few(facts: Facts) -> bool:
    holdout = facts.get("data.attack_holdout", 0)
    return "loss-threshold" in facts.kinds("attacks") and 0 < holdout < FEWEST


def _without_training(facts: Facts, block: str) -> bool:
    """Whether the mechanism is to be tested of a kind that has this block."""
    return "mechanism" in facts.kinds("attacks") and facts.get(block) is not None


RULES = (
    Rule(
        id="ATTACK-01",
        when=_too_few,
        verdict="refuse",
        sentence=f"fewer than {FEWEST} non-members are expected, with which a true positive rate at 1% cannot be told: raise data.attack_holdout",
        source="Carlini et al., S&P 2022: an attack is judged at low false positive rates; one false positive of n is a rate of 1/n",
        path="data.attack_holdout",
    ),
    Rule(
        id="ATTACK-02",
        when=lambda facts: compares_pools(facts) and not facts.get("data.attack_holdout"),
        verdict="refuse",
        sentence="attacks compare members with non-members of one pool: give data.attack_holdout and data.public_size",
        source="measured: without any model, a TF-IDF classifier tells CLINC150 train from test with AUC 0.67, so such an attack measures the split",
        path="data",
    ),
    Rule(
        id="ATTACK-03",
        when=lambda facts: _without_training(facts, "federation"),
        verdict="refuse",
        sentence="devices of a federation train without a mechanism, so there is no noise and no account to test: leave mechanism out of attacks",
        source="derived: the test holds the steps of a private training against its account, and a round is no such step",
        path="attacks",
    ),
    Rule(
        id="ATTACK-04",
        when=lambda facts: _without_training(facts, "distillation"),
        verdict="refuse",
        sentence="a student learns on lessons that were made of all records before its training, so no neighbouring data can be had: leave mechanism out",
        source="derived: the neighbouring-datasets test takes a record away, and its lessons and targets would stay",
        path="attacks",
    ),
)
