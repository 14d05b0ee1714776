"""Soundness rules of membership inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.attacks.attack import ATTACKS, compares_pools
from tasks.attacks.membership import FEWEST, MembershipAttack
from tasks.attacks.shadowed import ShadowedAttack
from tasks.core.rules import Facts, Rule
from tasks.data.rules import the_model
from tasks.models.model import LOADED


def is_loaded(facts: Facts) -> bool:
    """Whether a trial's model was trained elsewhere and is attacked as it is."""
    return facts.get("kind") == "privacy-audit" and facts.get("model.kind") in LOADED


def given(facts: Facts, base: type[Any]) -> Iterator[tuple[type[Any], Mapping[str, Any]]]:
    """The attacks of a trial that derive from a class, with their fields; those whose fields are wrong are told elsewhere."""
    for fields in facts.get("attacks") or ():
        member = ATTACKS.members().get(str(fields.get("kind"))) if isinstance(fields, Mapping) else None
        if member is not None and issubclass(member, base):
            yield member, fields


def _too_few(facts: Facts) -> bool:
    return any(True for _ in given(facts, MembershipAttack)) and 0 < facts.get("data.attack_holdout", 0) < FEWEST


def _too_few_shadows(facts: Facts) -> bool:
    """Whether a record is expected to be outside, or where both matter inside, of fewer than one shadow model."""
    data = the_model(facts).get("data")
    holdout, size = (data.get("attack_holdout"), data.get("public_size")) if isinstance(data, Mapping) else (None, None)
    if not holdout or not size:
        return False
    out = holdout / (size + holdout)
    for member, fields in given(facts, ShadowedAttack):
        attack = member.model_validate(fields)
        if attack.calibrated and attack.count * (min(out, 1 - out) if attack.needs_both else out) < 1:
            return True
    return False


def _by_user_of_records(facts: Facts) -> bool:
    by = facts.get("data.attack_holdout_by", "example")
    return not is_loaded(facts) and any(fields.get("unit") == "user" for _, fields in given(facts, MembershipAttack)) and by != "user"


def _without_training(facts: Facts, block: str) -> bool:
    """Whether the mechanism is to be tested of a kind that has this block."""
    return "mechanism" in facts.kinds("attacks") and facts.get(block) is not None


def _unseen(facts: Facts) -> bool:
    """Whether nobody but a device sees what it sends, in the process that trains."""
    return facts.get("federation.engine.kind", "in-process") != "in-process" or facts.get("federation.secure_aggregation") is not None


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
        when=lambda facts: compares_pools(facts) and not facts.get("data.attack_holdout") and not is_loaded(facts),
        verdict="refuse",
        sentence="attacks compare members with non-members of one pool: give data.attack_holdout and data.public_size",
        source="measured: without any model, a TF-IDF classifier tells CLINC150 train from test with AUC 0.67, so such an attack measures the split",
        path="data",
    ),
    Rule(
        id="ATTACK-03",
        when=lambda facts: _without_training(facts, "federation") and _unseen(facts),
        verdict="refuse",
        sentence="devices that are masked, or trained by other processes, cannot be looked at from inside: write federation.engine: {kind: in-process} without "
        "secure_aggregation, or leave mechanism out of attacks",
        source="derived: the test takes the sum of every device's own update away from what a round releases",
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
    Rule(
        id="ATTACK-10",
        when=_too_few_shadows,
        verdict="refuse",
        sentence="a record is expected to be outside of fewer than one shadow model, or inside: raise data.attack_holdout, half of all is best, or shadows",
        source="Carlini et al., S&P 2022: the attack compares models with and without the record",
        path="attacks",
    ),
    Rule(
        id="ATTACK-11",
        when=_by_user_of_records,
        verdict="refuse",
        sentence="a user whose records are drawn one by one is member and non-member at once: write data.attack_holdout_by: user, which counts users",
        source="user-level membership: all records of a user are in the training data, or none",
        path="data",
    ),
    Rule(
        id="ATTACK-12",
        when=lambda facts: is_loaded(facts) and any(True for _ in given(facts, ShadowedAttack)),
        verdict="refuse",
        sentence="shadow models are trained as the target was, and how this one was trained is not known here: use loss-threshold or quantile",
        source="Carlini et al., S&P 2022: shadows of another kind make the attack weaker than it is",
        path="attacks",
    ),
)
