"""Soundness rules of who takes part in a step, whose presence is hidden, and what is clipped as one."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule
from tasks.data.rules import units_of
from tasks.privacy.rules import engine_of, private


def _sampled(facts: Facts, *kinds: str) -> bool:
    return private(facts) and facts.get("privacy.sampler.kind") in kinds


def _rule(facts: Facts) -> str | None:
    found = facts.get("privacy.clipping.rule.kind")
    return str(found) if private(facts) and found is not None else None


def _too_far_apart(facts: Facts) -> bool:
    size, batch = facts.get("data.public_size"), facts.get("training.expected_batch_size")
    return bool(_sampled(facts, "cyclic") and size and batch and facts.get("privacy.sampler.separation", 1) > max(1, round(size / batch)))


def _bands_too_wide(facts: Facts) -> bool:
    apart = facts.get("privacy.sampler.separation", 0) if _sampled(facts, "cyclic") else facts.get("federation.separation", 0)
    return private(facts) and facts.get("privacy.noise.kind") == "banded" and facts.get("privacy.noise.bands", 1) > apart


def _count_off(facts: Facts) -> bool:
    """Fewer units than a sample of fixed size is accounted for, or more than a limit is."""
    public, there = facts.get("data.public_size"), units_of(facts)
    if public is None or there is None:
        return False
    return (_sampled(facts, "fixed-size") and there < public) or (_sampled(facts, "truncated-poisson") and there > public)


def _by_user(facts: Facts) -> bool:
    return private(facts) and facts.get("privacy.unit.kind") == "user"


def _by_person(facts: Facts) -> bool:
    """Whether the unit is a user, in one training or as a device."""
    return _by_user(facts) or (facts.get("privacy.kind") == "dp-fedavg" and facts.get("partition.kind") == "natural")


RULES = (
    Rule(
        id="PRIV-25",
        when=lambda facts: private(facts) and facts.get("privacy.clipping.engine.kind") == "micro-batch",
        verdict="label",
        sentence="micro-batches are clipped, not examples: epsilon is of one example, at half the noise multiplier; epsilon_micro_batch is of a weaker unit",
        source="one example moves a clipped mean by up to 2C (2303.00654, section 5.6); equal epsilon costs 2k times the noise",
        path="privacy.clipping.engine",
    ),
    Rule(
        id="PRIV-26",
        when=lambda facts: _sampled(facts, "fixed-size") and (facts.get("privacy.adjacency"), facts.get("privacy.accountant")) != ("replace-one", "rdp"),
        verdict="refuse",
        sentence="samples of fixed size have an epsilon between data sets of equal size alone: write adjacency: replace-one and accountant: rdp",
        source="Wang, Balle and Kasiviswanathan, AISTATS 2019; one record more changes every sample's law",
        path="privacy.sampler",
    ),
    Rule(
        id="PRIV-27",
        when=_count_off,
        verdict="refuse",
        sentence="the accountant of this sampler counts on data.public_size: a fixed-size sample on at least so many, a truncated one on at most so many",
        source="a sample of b among fewer has a higher rate; a batch of more records is cut more often",
        path="data.public_size",
        stage="data",
    ),
    Rule(
        id="PRIV-28",
        when=_too_far_apart,
        verdict="refuse",
        sentence="privacy.sampler.separation is above data.public_size / training.expected_batch_size, the number of groups: lower it",
        source="groups take turns, so a record takes part again after as many steps as there are groups",
        path="privacy.sampler.separation",
    ),
    Rule(
        id="PRIV-29",
        when=_bands_too_wide,
        verdict="refuse",
        sentence="banded noise needs takings part that are at least its bands apart: write sampler: {kind: cyclic, separation: as many as noise.bands}, or of "
        "devices federation.separation",
        source="Choquette-Choo et al., NeurIPS 2023: columns of the factorization that overlap add up to more than sqrt(k) times the longest",
        path="privacy.noise",
    ),
    Rule(
        id="PRIV-30",
        when=lambda facts: _rule(facts) == "adaptive-quantile" and facts.get("privacy.noise.kind") == "banded",
        verdict="refuse",
        sentence="banded noise mixes the noise of many steps, which needs one clip norm for all: write clipping.rule: {kind: flat}",
        source="a column of the factorization would be weighted by clip norms that changed in between",
        path="privacy.clipping.rule",
    ),
    Rule(
        id="PRIV-31",
        when=lambda facts: _rule(facts) == "per-layer" and not getattr(engine_of(facts), "layers", True),
        verdict="refuse",
        sentence="ghost clipping weighs the loss of an example as a whole: it cannot clip layer by layer; write clipping.engine: {kind: book-keeping}",
        source="its second backward pass has one factor per example",
        path="privacy.clipping.engine",
    ),
    Rule(
        id="PRIV-32",
        when=lambda facts: _by_user(facts) and not getattr(engine_of(facts), "shares", True),
        verdict="refuse",
        sentence="this engine clips examples, not users: with unit: user write clipping.engine: {kind: book-keeping}",
        source="a user with m examples that are clipped one by one moves the sum by m C",
        path="privacy.clipping.engine",
    ),
    Rule(
        id="PRIV-33",
        when=lambda facts: _by_user(facts) and facts.get("facts.counts") is not None and facts.get("facts.users.train") is None,
        verdict="refuse",
        sentence="unit: user needs data that names the user of each record (files: columns: {user: ...})",
        source="who wrote a record cannot be told from its text",
        path="privacy.unit",
        stage="data",
    ),
    Rule(
        id="PRIV-34",
        when=lambda facts: _by_person(facts) and bool(facts.get("data.attack_holdout")) and facts.get("data.attack_holdout_by", "example") != "user",
        verdict="refuse",
        sentence="data.attack_holdout draws a coin per record, so that most users would be member and non-member at once: write attack_holdout_by: user",
        source="pools of an attack on users must be pools of users",
        path="data.attack_holdout",
    ),
    Rule(
        id="PRIV-35",
        when=lambda facts: private(facts) and bool(facts.get("training.activation_checkpointing")) and not getattr(engine_of(facts), "recomputes", True),
        verdict="refuse",
        sentence="this engine would take layers that are run again for used twice: with training.activation_checkpointing write engine: {kind: book-keeping}",
        source="Opacus notes what a layer read at every call, and vmap's passes cannot be run again in parts",
        path="training.activation_checkpointing",
    ),
)
