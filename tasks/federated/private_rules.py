"""Soundness rules of private federations: what an epsilon of devices rests on."""

from __future__ import annotations

from tasks.attacks.audit import Audit
from tasks.attacks.rules import given
from tasks.core.rules import Facts, Rule
from tasks.federated.selection import SELECTIONS, Selection
from tasks.privacy.rules import private


def _private(facts: Facts) -> bool:
    return bool(facts.get("federation")) and private(facts)


def _no_coins(facts: Facts) -> bool:
    """Whether a selection is not by independent coins."""
    found = SELECTIONS.members().get(str(facts.get("federation.selection.kind")))
    coins = found is not None and issubclass(found, Selection) and found.public_rates is not Selection.public_rates
    return _private(facts) and not (coins and facts.get("federation.selection.design") == "poisson")


def _by_activity(facts: Facts) -> bool:
    selection = "federation.selection"
    return _private(facts) and facts.get(f"{selection}.kind") == "activity-proportional" and facts.get(f"{selection}.alpha", 1.0) != 0


def _private_rates(facts: Facts) -> bool:
    selection = facts.get("federation.selection") or {}
    if not (_private(facts) and selection.get("kind") == "activity-proportional"):
        return False
    return selection.get("public_activity") is None or (selection.get("alpha", 1.0) != 0 and selection.get("activity_cap") is None)


def _realised(facts: Facts) -> bool:
    return _private(facts) and facts.get("federation.correction.kind") in ("none", "hajek")


def _dropped_by_others(facts: Facts) -> bool:
    return _private(facts) and (facts.get("federation.stragglers.over_selection", 1.0) > 1 or facts.get("federation.availability.kind") == "activity-tied")


def _in_windows(facts: Facts) -> bool:
    return _private(facts) and facts.get("federation.timeline.kind", "static") != "static"


def _too_large(facts: Facts) -> bool:
    return _private(facts) and facts.get("federation.cohort_size", 0) > facts.get("data.public_size", float("inf"))


def _audited(facts: Facts) -> bool:
    return _private(facts) and any(True for _ in given(facts, Audit))


def _no_device_of_a_record(facts: Facts) -> bool:
    """Whether a user with one record may be no device."""
    block = facts.get("partition") or {}
    users = block.get("kind") == "natural" and block.get("column", "user") == "user"
    return _audited(facts) and not (users and block.get("minimum_examples", 1) == 1 and block.get("devices") is None)


RULES = (
    Rule(
        id="FED-11",
        when=lambda facts: private(facts) and bool(facts.get("federation")) != (facts.get("privacy.kind") == "dp-fedavg"),
        verdict="refuse",
        sentence="devices of a federation are protected by privacy: {kind: dp-fedavg}, and records of one training by {kind: dp-sgd}: write the other",
        source="McMahan et al., ICLR 2018: what a device sends is clipped as a whole, whatever it does with its records",
        path="privacy",
    ),
    Rule(
        id="FED-12",
        when=_no_coins,
        verdict="refuse",
        sentence="an epsilon of devices needs a coin per device, so that nobody's presence changes who else is asked: write selection: {kind: uniform, "
        "design: poisson}, or activity-proportional with design: poisson",
        source="Poisson accounting of fixed-size or loss-based cohorts covers another mechanism (Chua et al., ICML 2024)",
        path="federation.selection",
    ),
    Rule(
        id="FED-13",
        when=_private_rates,
        verdict="refuse",
        sentence="rates that follow from everybody's activity change with every device: give selection.public_activity and, where alpha is above 0, "
        "activity_cap",
        source="derived: with rates m n_i / sum n one device changes all others, and the largest activity present is no bound for who may come",
        path="federation.selection",
    ),
    Rule(
        id="FED-14",
        when=_realised,
        verdict="refuse",
        sentence="these weights are shares of the cohort that came, which says who came: write federation.correction: {kind: equal}, or horvitz-thompson "
        "with privacy.public_records",
        source="McMahan et al., ICLR 2018, section 3: the denominator must be fixed",
        path="federation.correction",
    ),
    Rule(
        id="FED-15",
        when=lambda facts: _private(facts) and facts.get("federation.correction.kind") == "horvitz-thompson" and facts.get("privacy.public_records") is None,
        verdict="refuse",
        sentence="horvitz-thompson weighs a device by its share of all records, a private number: give privacy.public_records",
        source="derived: a weight that follows from the sum of all activity changes with every device",
        path="federation.correction",
    ),
    Rule(
        id="FED-16",
        when=_dropped_by_others,
        verdict="refuse",
        sentence="here other devices decide whether one takes part, by their speed or their rank: leave over_selection out, and use an availability of its own",
        source="derived: one device more then moves the sum by more than its clipped update",
        path="federation",
    ),
    Rule(
        id="FED-17",
        when=_in_windows,
        verdict="refuse",
        sentence="windows are cut where everybody's records say, and no account follows what devices hold over time: write federation.timeline: {kind: static}",
        source="derived: cuts at quantiles of private times move with every device",
        path="federation.timeline",
    ),
    Rule(
        id="FED-18",
        when=_too_large,
        verdict="refuse",
        sentence="federation.cohort_size is above data.public_size, which counts devices under dp-fedavg: no rate can be had; lower it",
        source="a rate is a probability",
        path="federation.cohort_size",
    ),
    Rule(
        id="FED-19",
        when=lambda facts: _private(facts) and facts.get("privacy.clipping.rule.kind") == "per-layer",
        verdict="refuse",
        sentence="the update of a device is clipped as a whole: write privacy.clipping.rule: {kind: flat, ...}, automatic or adaptive-quantile",
        source="a device knows its update's length, and per-layer scales are of gradients",
        path="privacy.clipping.rule",
    ),
    Rule(
        id="FED-50",
        when=lambda facts: _private(facts) and facts.get("federation.separation", 1) > 1,
        verdict="label",
        sentence="nothing is amplified by sampling: a device takes part at most once in federation.separation rounds, and epsilon is of as many releases",
        source="Choquette-Choo et al., NeurIPS 2023: a device that rests does not throw independent coins",
        path="federation.separation",
    ),
    Rule(
        id="FED-51",
        when=lambda facts: _private(facts) and (facts.get("partition.kind") != "natural" or facts.get("partition.column", "user") != "user"),
        verdict="label",
        sentence="devices are made by the partition and are no people: epsilon is of such a device (device-level)",
        source="a guarantee is of the unit that is there or not as a whole",
        path="partition",
    ),
    Rule(
        id="FED-52",
        when=_by_activity,
        verdict="label",
        sentence="the server knows each device's activity and asks by it: epsilon is against those who see the model, not against the server; it is that of a "
        "device at activity_cap",
        source="Dupuy et al., ICASSP 2022: the server has activity already; it is private towards everybody else",
        path="federation.selection",
    ),
    Rule(
        id="FED-53",
        when=lambda facts: _private(facts) and not facts.get("evaluation.private"),
        verdict="label",
        sentence="epsilon covers the model alone: checks, utility by activity, coverage and costs are measured on private records without noise",
        source="numbers beside the model are further releases",
        path="privacy",
    ),
    Rule(
        id="FED-54",
        when=_no_device_of_a_record,
        verdict="refuse",
        sentence="each record of an audit must be a device of its own, or the audit finds nothing whatever the mechanism does: write "
        "partition: {kind: natural}, without devices and minimum_examples",
        source="Steinke, Nasr and Jagielski, NeurIPS 2023: what is in or out by a coin is the unit of the guarantee",
        path="partition",
    ),
    Rule(
        id="FED-55",
        when=lambda facts: _audited(facts) and _by_activity(facts),
        verdict="label",
        sentence="an audit's devices hold one record each, so they are asked at the smallest rate of all: its bound is on what such a device pays, not on "
        "what one at activity_cap does",
        source="a lower bound on the epsilon of any device is one on the supremum, and far from it where that device is seldom asked",
        path="attacks",
    ),
    Rule(
        id="FED-56",
        when=lambda facts: _private(facts) and facts.get("partition.kind") == "natural" and facts.get("partition.devices") is not None,
        verdict="refuse",
        sentence="partition.devices keeps the people with the smallest coins, so that another takes the place of one who leaves: leave it out",
        source="derived: one person more or less then changes two devices",
        path="partition.devices",
    ),
)
