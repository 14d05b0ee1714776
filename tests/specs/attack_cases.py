"""Cases of the rules of shadow models, loaded models, canaries and audits: what a rule is about, and its nearest neighbour that it leaves alone."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]


def attacked(attack: Values, **blocks: Any) -> Values:
    """A trial with one attack, on an intent model with canaries, half of whose records are held out."""
    data = {"kind": "clinc150", "public_size": 500, "attack_holdout": 500}
    return {"kind": "privacy-audit", "attacks": [attack], "data": data, "model": {"kind": "bilstm"}, "canaries": {"kind": "digits", "repetitions": 9}, **blocks}


def holding(holdout: int, attack: Values, **fields: Any) -> Values:
    return attacked(attack, data={"kind": "clinc150", "public_size": 900, "attack_holdout": holdout, **fields})


def crowded(train: int, attack: Values, sampler: str = "truncated-poisson") -> Values:
    """So many training records where the public size is 500."""
    return attacked(attack, privacy={"kind": "dp-sgd", "sampler": {"kind": sampler}}, facts={"counts": {"train": train}})


LIRA, ONE_RUN, EXPOSURE, INVERSION = ({"kind": kind} for kind in ("lira", "one-run", "canary-exposure", "canary-inversion"))
LOADED: Values = {"model": {"kind": "pretrained"}}
LM: Values = {"data": {"kind": "wikitext-2", "task": "lm"}}
MLM: Values = {"data": {"kind": "wikitext-2", "task": "mlm"}}
DP: Values = {"kind": "dp-sgd", "unit": {"kind": "example"}, "adjacency": "add-remove"}
BY_USER: Values = {"attack_holdout_by": "user"}

ATTACK_CASES: dict[str, tuple[Values, Values]] = {
    "ATTACK-10": (holding(100, {"kind": "lira", "shadows": 9}), holding(100, {"kind": "lira", "shadows": 10})),
    "ATTACK-11": (holding(900, {**LIRA, "unit": "user"}), holding(900, {**LIRA, "unit": "user"}, **BY_USER)),
    "ATTACK-12": (attacked(LIRA, **LOADED), attacked({"kind": "quantile"}, **LOADED)),
    "ATTACK-20": (attacked(EXPOSURE, canaries=None), attacked(LIRA, canaries=None)),
    "ATTACK-21": (attacked(LIRA, **MLM), attacked(LIRA, **LM)),
    "ATTACK-22": (attacked(INVERSION, model={"kind": "linear"}), attacked(EXPOSURE, model={"kind": "linear"})),
    "ATTACK-23": (attacked(EXPOSURE, privacy=DP), attacked(EXPOSURE, privacy=DP, canaries={"kind": "digits", "repetitions": 1})),
    "ATTACK-30": (attacked(ONE_RUN, **LOADED), attacked(ONE_RUN)),
    "ATTACK-31": (attacked(ONE_RUN, privacy={**DP, "adjacency": "replace-one"}), attacked(ONE_RUN, privacy={**DP, "adjacency": "zero-out"})),
    "ATTACK-32": (attacked(ONE_RUN, **MLM), attacked(ONE_RUN, **LM)),
    "ATTACK-33": (attacked({"kind": "gdp"}), attacked(ONE_RUN)),
    "ATTACK-34": (crowded(451, {**ONE_RUN, "canaries": 50}), crowded(450, {**ONE_RUN, "canaries": 50})),
}
MORE: tuple[tuple[str, bool, Values], ...] = (
    ("ATTACK-10", True, holding(899, {"kind": "rmia", "references": 1})),
    ("ATTACK-10", False, holding(100, {"kind": "shadow", "shadows": 1})),
    ("ATTACK-10", True, holding(100, {"kind": "lira", "shadows": 9, "mode": "offline"})),
    ("ATTACK-22", True, attacked(INVERSION, **LM)),
    ("ATTACK-23", True, attacked(EXPOSURE, privacy={**DP, "unit": {"kind": "user"}}, canaries={"kind": "digits", "repetitions": 9, "by": "record"})),
    ("ATTACK-23", False, attacked(EXPOSURE, privacy={**DP, "unit": {"kind": "user"}}, canaries={"kind": "digits", "repetitions": 9, "by": "user"})),
    ("ATTACK-30", True, attacked(ONE_RUN, kind="fairness-evaluation")),
    ("ATTACK-31", True, attacked(ONE_RUN, privacy={**DP, "adjacency": "zero-out", "sampler": {"kind": "shuffle"}})),
    ("ATTACK-31", False, attacked(LIRA, privacy={**DP, "adjacency": "replace-one"})),
    ("ATTACK-33", True, attacked({"kind": "one-run-f-dp"})),
    ("ATTACK-33", False, attacked({"kind": "clopper-pearson"})),
    ("ATTACK-34", False, crowded(451, {**ONE_RUN, "canaries": 50}, "poisson")),
    ("ATTACK-34", False, crowded(499, {"kind": "clopper-pearson", "canaries": 1})),
    ("ATTACK-34", True, crowded(500, {"kind": "clopper-pearson", "canaries": 1})),
)
"""Further ones: whether the rule applies."""
