"""Soundness rules of attacks."""

from __future__ import annotations

from tasks.attacks.attacks.loss_threshold import FEWEST
from tasks.core.rules import Facts, Rule


def _too_few(facts: Facts) -> bool:
    holdout = facts.get("data.attack_holdout", 0)
    return "loss-threshold" in facts.kinds("attacks") and 0 < holdout < FEWEST


RULES = (
    Rule(
        id="ATTACK-01",
        when=_too_few,
        verdict="refuse",
        sentence=f"fewer than {FEWEST} non-members are expected, with which a true positive rate at 1% cannot be told: raise data.attack_holdout",
        source="Carlini et al., S&P 2022: an attack is judged at low false positive rates; one false positive of n is a rate of 1/n",
        path="data.attack_holdout",
    ),
)
