"""Soundness rules of canaries."""

from __future__ import annotations

from tasks.attacks.canary import CanaryAttack
from tasks.attacks.rules import given
from tasks.core.rules import Facts, Rule
from tasks.data.canary import SERVED
from tasks.data.rules import task_of


def _none_inserted(facts: Facts) -> bool:
    return any(True for _ in given(facts, CanaryAttack)) and not facts.get("canaries")


def _no_answers(facts: Facts) -> bool:
    return "canary-inversion" in facts.kinds("attacks") and (task_of(facts) == "lm" or facts.get("model.kind") == "linear")


def _repeated(facts: Facts) -> bool:
    unit, by, times = facts.get("privacy.unit.kind"), facts.get("canaries.by"), facts.get("canaries.repetitions", 0)
    return bool(facts.get("privacy.kind", "none") != "none" and times > 1 and (unit == "example" or by == "record"))


RULES = (
    Rule(
        id="ATTACK-20",
        when=_none_inserted,
        verdict="refuse",
        sentence="no canary to look for: give canaries, e.g. {kind: digits, pattern: pin, repetitions: 100}; a model from elsewhere cannot be given any",
        source="Carlini et al., USENIX Security 2019: exposure is of secrets that were inserted",
        path="attacks",
    ),
    Rule(
        id="ATTACK-21",
        when=lambda facts: bool(facts.get("canaries")) and task_of(facts) not in (*SERVED, None),
        verdict="refuse",
        sentence=f"records of this task have no place for a secret: choose data.task of {', '.join(SERVED)}",
        source="a canary is a text with answers of its own",
        path="canaries",
    ),
    Rule(
        id="ATTACK-22",
        when=_no_answers,
        verdict="refuse",
        sentence="canary-inversion learns mixtures of word vectors that make a classifier's or tagger's answers likeliest; this model or task has none: "
        "use canary-completion",
        source="Parikh, Dupuy and Gupta, ACL 2022",
        path="attacks",
    ),
    Rule(
        id="ATTACK-23",
        when=_repeated,
        verdict="label",
        sentence="epsilon is of one record, or of one user, and each canary stands in several: a secret said so often is kept less well than epsilon says",
        source="group privacy: k records together have k times the epsilon (Dwork and Roth 2014, theorem 2.2)",
        path="canaries.repetitions",
    ),
)
