"""Soundness rules of federated selection (reference: the table of what is refused or labelled)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.attacks.attack import compares_pools
from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.federated.correction import CORRECTIONS, Correction
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.selection import SELECTIONS, Selection

ON_FLOWER = ("flower-simulation", "flower-deployment")
BY_ACTIVITY = ("activity-proportional", "multinomial", "clustered-by-size", "top-m", "threshold")


def _selection(facts: Facts) -> type[Selection] | None:
    found = SELECTIONS.members().get(str(facts.get("federation.selection.kind")))
    return found if found is not None and issubclass(found, Selection) else None


def _divides(facts: Facts) -> bool:
    """Whether the correction divides by expected draws."""
    found = CORRECTIONS.members().get(str(facts.get("federation.correction.kind")))
    return found is not None and issubclass(found, Correction) and found.needs_expected


def _is(path: str, *kinds: str) -> Callable[[Facts], bool]:
    return lambda facts: facts.get(path) in kinds


def _impossible(facts: Facts) -> bool:
    found = _selection(facts)
    return found is not None and _divides(facts) and not found.positive


def _unknown(facts: Facts) -> bool:
    found = _selection(facts)
    return found is not None and _divides(facts) and found.positive and not found.exact and facts.get("federation.selection.kind") != "participation-history"


def _flat(facts: Facts) -> bool:
    """Whether activity decides nothing although it could."""
    return bool(facts.get("federation.selection.alpha", 1.0) == 0)


def _double_weight(facts: Facts) -> bool:
    return (
        facts.get("federation.correction.kind") == "none"
        and facts.get("federation.selection.kind") in ("activity-proportional", "multinomial", "clustered-by-size")
        and not _flat(facts)
    )


def _never_unbiased(facts: Facts) -> bool:
    found = _selection(facts)
    return (
        found is not None and not _divides(facts) and (not found.positive or any(need in ("losses", "candidate losses", "gradients") for need in found.needs))
    )


def _some_drop_out(facts: Facts) -> bool:
    stragglers: Any = facts.get("federation.stragglers") or {}
    drops = stragglers.get("over_selection", 1.0) > 1 or stragglers.get("deadline_seconds") is not None
    away = facts.get("federation.availability.kind", "always") != "always"
    return facts.get("federation.correction.kind", "none") != "none" and (drops or away)


def _no_treatment(facts: Facts) -> bool:
    found = PARTITIONS.members().get(str(facts.get("partition.kind")))
    equal = found is not None and issubclass(found, Partition) and found.equal_sizes
    return equal and facts.get("federation.selection.kind") in BY_ACTIVITY and not _flat(facts)


def _on_flower(facts: Facts) -> bool:
    return facts.get("federation.engine.kind") in ON_FLOWER


def asks_before(facts: Facts) -> bool:
    """Whether devices compute something for the selection before any is trained."""
    found = _selection(facts)
    return found is not None and any(need in ("candidate losses", "gradients") for need in found.needs)


RULES = (
    Rule(
        id="FED-01",
        when=_impossible,
        verdict="refuse",
        sentence="this selection never asks some devices, so no weights make its updates stand for all: write federation.correction: {kind: none}",
        source="an inclusion probability of 0 has no inverse (Horvitz and Thompson 1952)",
        path="federation.correction",
    ),
    Rule(
        id="FED-02",
        when=_unknown,
        verdict="refuse",
        sentence="this correction divides by the probability of being asked, which this selection does not know: use uniform, activity-proportional, "
        "multinomial, clustered-by-size or participation-history, or no correction",
        source="sequential and loss-based draws have no closed inclusion probability, and m p_i is not one (Horvitz and Thompson 1952)",
        path="federation.correction",
    ),
    Rule(
        id="FED-03",
        when=_double_weight,
        verdict="label",
        sentence="double weight: active devices are asked more often and their updates weigh more; horvitz-thompson, hajek or equal weights correct it",
        source="with inclusion proportional to n_i, weights n_i give an update in expectation proportional to n_i squared",
        path="federation.correction",
    ),
    Rule(
        id="FED-04",
        when=_some_drop_out,
        verdict="label",
        sentence="the correction covers the devices that could be asked, as asked: dropouts and absent devices change who really takes part",
        source="the probability of taking part is that of being available, asked and in time; over-selection and deadlines favour fast devices",
        path="federation.correction",
    ),
    Rule(
        id="FED-05",
        when=_no_treatment,
        verdict="refuse",
        sentence="this partition gives every device as many records, so selection by activity selects by nothing: use natural or quantity-dirichlet, "
        "or select uniformly",
        source="without variance of activity there is no treatment to compare",
        path="federation.selection",
    ),
    Rule(
        id="FED-06",
        when=_never_unbiased,
        verdict="label",
        sentence="biased by design: in expectation this selection's update is not that of all devices, and no correction makes it so",
        source="Cho, Wang and Joshi 2020; Lai et al., OSDI 2021: such strategies trade bias for speed",
        path="federation.selection",
    ),
    Rule(
        id="FED-07",
        when=lambda facts: facts.get("federation.correction.kind") == "equal" and facts.get("federation.selection.kind") == "uniform",
        verdict="label",
        sentence="equal weights after a uniform draw stand for the mean over devices, not over records: a device of one record counts as one of a thousand",
        source="the target weight of a device is its share of all records (McMahan et al., AISTATS 2017)",
        path="federation.correction",
    ),
    Rule(
        id="FED-08",
        when=lambda facts: bool(facts.get("federation")) and compares_pools(facts),
        verdict="label",
        sentence="members are all records that devices could have trained on: those of devices that were never asked are among them, and weaken the attack",
        source="the share of devices asked at least once is recorded as federated/coverage",
        path="attacks",
    ),
    Rule(
        id="FED-09",
        when=_is("federation.selection.kind", "participation-history"),
        verdict="label",
        sentence="participation rates are estimated from intervals between rounds: weights made of them are unbiased only in the long run",
        source="Wang and Ji, ICLR 2024 (FedAU)",
        path="federation.selection",
    ),
    Rule(
        id="FED-10",
        when=lambda facts: bool(facts.get("federation")) and facts.get("sweep.claims", 0) > 0 and facts.get("sweep.seeds", 5) < 5,
        verdict="label",
        sentence="descriptive: who is asked is drawn anew for each seed, and with fewer than five seeds a claim of gain is not tested",
        source="claims are tested over seeds, from five on",
        path="claims",
    ),
    Rule(
        id="FED-20",
        when=lambda facts: _on_flower(facts) and asks_before(facts),
        verdict="label",
        sentence="the losses or gradients that this selection asks of devices are computed by the server's process, on its own copy of the records, and "
        "not by the nodes",
        source="a node is asked for training alone; cost/queries counts what it would be asked",
        path="federation.selection",
    ),
    Rule(
        id="FED-21",
        when=lambda facts: _on_flower(facts) and facts.get("federation.engine.on_failure") == "complete",
        verdict="label",
        sentence="rounds go on without devices whose node failed, and nobody is weighed anew: updates are smaller and stand for the devices that answered",
        source="a dropout is treated as not selected and logged; weights made new over those that answered would be biased in silence",
        path="federation.engine.on_failure",
    ),
    Rule(
        id="FED-22",
        when=lambda facts: _on_flower(facts) and task_of(facts) == "mlm",
        verdict="label",
        sentence="a device draws which tokens it hides by the places of its own texts: other tokens than in-process, equally likely",
        source="the in-process engine numbers the texts of all devices together, which no device knows",
        path="federation.engine",
    ),
    Rule(
        id="FED-25",
        when=lambda facts: facts.get("federation.engine.address") is not None,
        verdict="label",
        sentence="the nodes that were joined hold data of their own: that it is the study's is known by the number of examples of each device alone",
        source="a server never sees a node's records",
        path="federation.engine.address",
    ),
    Rule(
        id="FED-26",
        when=_on_flower,
        verdict="label",
        sentence="memory is that of the server's process, and seconds hold messages and the start of processes: costs are not those of the in-process engine",
        source="Flower's nodes are processes of their own; tests/benchmarks/federated_flower.py measures all of them together",
        path="federation.engine",
    ),
)
