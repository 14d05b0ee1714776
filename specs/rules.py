"""Soundness rules of a study as a whole."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule

OTHER_LABELS = "two models that choose among other answers are right by chance in other shares; a loss against such a champion means nothing"


def _knows_other_labels(facts: Facts) -> bool:
    """Whether a night's champion answers with other labels or tags than the data has."""
    champion = facts.get("night.champion")
    return champion is not None and any(list(champion[name]) != list(facts.get(f"facts.{name}") or ()) for name in ("labels", "slots"))


def _keeps_no_secret(facts: Facts) -> bool:
    return facts.get("privacy.kind", "none") == "none" and facts.get("federation.secure_aggregation") is None


RULES = (
    Rule(
        id="STUDY-01",
        when=lambda facts: _keeps_no_secret(facts) and facts.get("randomness") == "secret",
        verdict="refuse",
        sentence="secret randomness protects the noise of a privacy mechanism or the keys of secure aggregation, and this trial has neither: "
        "write randomness: reproducible",
        source="secret randomness governs noise, sampling, micro-batch keys, cohorts and masks; plain training has none of them",
        path="randomness",
    ),
    Rule(
        id="NIGHT-01",
        when=lambda facts: _knows_other_labels(facts) and facts.get("champion.incomparable") == "refuse",
        verdict="refuse",
        sentence="the champion knows other labels than the data, so nothing was trained: champion: {incomparable: pass} lets the other gates decide alone",
        source=OTHER_LABELS,
        path="champion",
        stage="data",
    ),
    Rule(
        id="NIGHT-02",
        when=lambda facts: _knows_other_labels(facts) and facts.get("champion.incomparable") == "pass" and facts.get("night.role") == "champion",
        verdict="refuse",
        sentence="the champion knows other labels than tonight's data: it is not measured, and gates that compare with it pass",
        source=OTHER_LABELS,
        path="champion",
        stage="data",
    ),
    Rule(
        id="NIGHT-03",
        when=lambda facts: facts.get("kind") == "retraining-audit",
        verdict="label",
        sentence="what gates decide, and what attacks score on members, is computed from the records and stands outside epsilon",
        source="epsilon bounds the training alone; a decision that depends on members releases something of them that no mechanism covers",
        path="gates",
    ),
)
