"""Cases of the rules of federations: what a rule is about, and its nearest neighbour that it leaves alone."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]
COINS: Values = {"kind": "uniform", "design": "poisson"}
BY_ACTIVITY: Values = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 100, "public_activity": 5000}


def federated(selection: str, correction: str = "none", partition: str = "natural", alpha: float | None = None, **others: Any) -> Values:
    """A federated trial by its selection, correction and partition; ``others`` stand in its federation block."""
    chosen = {"kind": selection, **({} if alpha is None else {"alpha": alpha})}
    return {"federation": {"selection": chosen, "correction": {"kind": correction}, **others}, "partition": {"kind": partition}}


def secured(selection: str = "uniform", secure: Values | None = None, **others: Any) -> Values:
    """A federated trial whose server sees sums alone."""
    return federated(selection, secure_aggregation=secure or {}, **others)


def devices(
    privacy: Values | None = None, selection: Values | None = None, partition: Values | None = None, correction: str = "equal", **others: Any
) -> Values:
    """A private federation; ``others`` stand in its federation block."""
    usual = {"kind": "dp-fedavg", "accountant": "pld", "clipping": {"rule": {"kind": "flat"}}, "noise": {"kind": "constant"}}
    federation = {"selection": selection or COINS, "correction": {"kind": correction}, "cohort_size": 50, **others}
    return {
        "data": {"kind": "ubuntu-irc", "public_size": 1000},
        "partition": partition or {"kind": "natural"},
        "privacy": {**usual, **(privacy or {})},
        "federation": federation,
    }


def without(selection: Values, *names: str) -> Values:
    return {name: value for name, value in selection.items() if name not in names}


def audited(attack: str = "gdp", **given: Any) -> Values:
    """A private federation with an attack on it."""
    return {**devices(**given), "attacks": [{"kind": attack}]}


ATTACKS = [{"kind": "loss-threshold"}]
MECHANISM = [{"kind": "mechanism"}]
NODES: Values = {"kind": "flower-simulation"}
MASKED, CAUSAL = ({"kind": "wikitext-2", "task": task} for task in ("mlm", "lm"))
AWAY: Values = {"availability": {"kind": "bernoulli"}}
IN_WINDOWS: Values = {"kind": "continual", "windows": 4}
PLAIN: Values = {"kind": "none"}
FEW: Values = {"labels": {"kind": "self-training"}}


def checked(metric: str = "accuracy", size: int | None = 1000, privacy: Values = PLAIN, timeline: str = "static", **private: Any) -> Values:
    """A federation whose checks are private."""
    return {
        "data": {"kind": "clinc150", "public_size": size},
        "utility": [{"kind": metric}],
        "privacy": privacy,
        "federation": {"timeline": {"kind": timeline}},
        "evaluation": {"kind": "federated", "private": {"target_epsilon": 1.0, **private}},
    }


def unlabelled(task: str = "intent", selection: str = "oort", attack: str = "mechanism") -> Values:
    """A federation in which few records have a label."""
    return {**FEW, "data": {"kind": "files", "task": task}, "federation": {"selection": {"kind": selection}}, "attacks": [{"kind": attack}]}


FEDERATED_CASES: dict[str, tuple[Values, Values]] = {
    "FED-01": (federated("top-m", "horvitz-thompson"), federated("top-m")),
    "FED-02": (federated("afl", "hajek"), federated("participation-history", "hajek")),
    "FED-03": (federated("activity-proportional"), federated("activity-proportional", alpha=0.0)),
    "FED-04": (federated("uniform", "hajek", **AWAY), federated("uniform", "none", **AWAY)),
    "FED-05": (federated("top-m", partition="iid"), federated("top-m", partition="quantity-dirichlet")),
    "FED-06": (federated("power-of-choice"), federated("round-robin")),
    "FED-07": (federated("uniform", "equal"), federated("multinomial", "equal")),
    "FED-08": ({**federated("uniform"), "attacks": ATTACKS}, {**federated("uniform"), "attacks": MECHANISM}),
    "FED-09": (federated("participation-history"), federated("uniform")),
    "FED-10": (
        {**federated("uniform"), "sweep": {"claims": 1, "seeds": 4}},
        {**federated("uniform"), "sweep": {"claims": 1, "seeds": 5}},
    ),
    "FED-20": (federated("power-of-choice", engine=NODES), federated("afl", engine=NODES)),
    "FED-21": (federated("uniform", engine={**NODES, "on_failure": "complete"}), federated("uniform", engine={**NODES, "on_failure": "fail"})),
    "FED-22": ({**federated("uniform", engine=NODES), "data": MASKED}, {**federated("uniform", engine=NODES), "data": CAUSAL}),
    "FED-25": (
        federated("uniform", engine={"kind": "flower-deployment", "address": "127.0.0.1:9"}),
        federated("uniform", engine={"kind": "flower-deployment"}),
    ),
    "FED-26": (federated("uniform", engine=NODES), federated("uniform", engine={"kind": "in-process"})),
    "FED-30": (secured("divfl"), secured("participation-history")),
    "FED-31": (secured(engine={"kind": "flower-simulation"}), secured(engine={"kind": "in-process"})),
    "FED-32": (secured(), federated("uniform")),
    "FED-33": (secured(secure={"bits": 40, "clip_range": 2.0**20}, cohort_size=8), secured(secure={"bits": 40, "clip_range": 2.0**20}, cohort_size=7)),
    "FED-34": (secured(cohort_size=4, stragglers={"over_selection": 2.0}), secured(cohort_size=4, stragglers={"over_selection": 1.5})),
    "FED-36": ({**secured(), "privacy": {"kind": "dp-fedavg"}}, {**federated("uniform"), "privacy": {"kind": "dp-fedavg"}}),
    "FED-35": (secured(secure={"neighbours": 20}, cohort_size=100), secured(secure={"neighbours": 40}, cohort_size=100)),
    "FED-11": (devices({"kind": "dp-sgd"}), devices()),
    "FED-12": (devices(selection={"kind": "uniform", "design": "fixed-size"}), devices()),
    "FED-13": (devices(selection=without(BY_ACTIVITY, "activity_cap")), devices(selection={**without(BY_ACTIVITY, "activity_cap"), "alpha": 0})),
    "FED-14": (devices(correction="none"), devices()),
    "FED-15": (devices(correction="horvitz-thompson"), devices({"public_records": 9000}, correction="horvitz-thompson")),
    "FED-16": (devices(stragglers={"over_selection": 1.3}), devices(stragglers={"deadline_seconds": 9})),
    "FED-17": (devices(timeline=IN_WINDOWS), devices({"kind": "none"}, timeline=IN_WINDOWS)),
    "FED-18": (devices(cohort_size=1001), devices(cohort_size=1000)),
    "FED-19": (devices({"clipping": {"rule": {"kind": "per-layer"}}}), devices()),
    "FED-40": (unlabelled("lm"), unlabelled("joint")),
    "FED-41": (unlabelled(selection="divfl"), unlabelled(selection="oort")),
    "FED-42": (unlabelled(attack="loss-threshold"), unlabelled(attack="mechanism")),
    "FED-43": (checked(size=None), checked()),
    "FED-44": (checked(timeline="continual"), checked()),
    "FED-45": (checked("loss"), checked("loss", most_loss=5.0)),
    "FED-46": (checked(privacy={"kind": "dp-fedavg"}), checked()),
    "FED-47": (checked(), checked(privacy={"kind": "dp-fedavg"})),
    "FED-50": (devices(separation=2), devices(separation=1)),
    "FED-51": (devices(partition={"kind": "iid", "devices": 1000}), devices()),
    "FED-52": (devices(selection=BY_ACTIVITY), devices()),
    "FED-53": (devices(), devices({"kind": "none"})),
    "FED-56": (devices(partition={"kind": "natural", "devices": 50}), devices(partition={"kind": "iid", "devices": 50})),
    "FED-54": (audited(partition={"kind": "natural", "minimum_examples": 2}), audited(partition={"kind": "natural", "minimum_examples": 1})),
    "FED-55": (audited(selection=BY_ACTIVITY), audited(selection={**BY_ACTIVITY, "alpha": 0})),
}
FEDERATED_MORE: list[tuple[str, bool, Values]] = [
    ("FED-11", True, {"privacy": {"kind": "dp-fedavg"}, "data": {"kind": "clinc150"}, "training": {}}),
    ("FED-12", True, devices(selection={"kind": "power-of-choice"})),
    ("FED-12", True, devices(selection={"kind": "top-m", "design": "poisson"})),
    ("FED-13", True, devices(selection=without(BY_ACTIVITY, "public_activity"))),
    ("FED-13", False, devices(selection=BY_ACTIVITY)),
    ("FED-41", True, unlabelled(selection="power-of-choice")),
    ("FED-45", True, checked("macro-f1", most_loss=5.0)),
    ("FED-53", False, {**devices(), "evaluation": checked()["evaluation"]}),
    ("FED-14", True, devices(correction="hajek")),
    ("FED-16", True, devices(availability={"kind": "activity-tied"})),
    ("FED-16", False, devices(availability={"kind": "bernoulli"})),
    ("FED-54", True, audited("one-run", partition={"kind": "natural", "devices": 40})),
    ("FED-54", True, audited("clopper-pearson", partition={"kind": "iid", "devices": 40})),
    ("FED-54", True, audited(partition={"kind": "natural", "column": "group"})),
    ("FED-54", False, audited("mechanism", partition={"kind": "natural", "minimum_examples": 2})),
    ("FED-54", False, {**audited(partition={"kind": "iid", "devices": 40}), "privacy": {"kind": "none"}}),
    ("FED-55", False, audited("mechanism", selection=BY_ACTIVITY)),
    ("ATTACK-03", True, audited("mechanism", engine={"kind": "flower-simulation"})),
    ("ATTACK-03", False, audited("gdp", engine={"kind": "flower-simulation"})),
    ("PRIV-29", True, devices({"noise": {"kind": "banded", "bands": 8}}, separation=7)),
    ("PRIV-29", False, devices({"noise": {"kind": "banded", "bands": 8}}, separation=8)),
]
