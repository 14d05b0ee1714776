"""Soundness rules of a study as a whole."""

from __future__ import annotations

from tasks.core.rules import Rule

RULES = (
    Rule(
        id="STUDY-01",
        when=lambda facts: facts.get("randomness") == "secret" and facts.get("privacy.kind", "none") == "none",
        verdict="refuse",
        sentence="secret randomness protects the noise of a privacy mechanism, and this trial has none: write randomness: reproducible",
        source="secret randomness governs noise, sampling, micro-batch keys and cohorts; plain training has none of them",
        path="randomness",
    ),
)
