"""Soundness rules of federated selection (reference: the table of what is refused or labelled)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.attacks.attack import compares_pools
from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.federated.correction import CORRECTIONS, Correction
from tasks.federated.labels import LABELS, Labels
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.selection import SELECTIONS, Selection
from tasks.privacy.rules import private
from tasks.utility.metric import UTILITY, UtilityMetric

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


def _few_labels(facts: Facts) -> bool:
    """Whether some records have no label."""
    found = LABELS.members().get(str(facts.get("labels.kind")))
    return found is not None and issubclass(found, Labels) and not found.complete


def _asks_for_labels(facts: Facts) -> bool:
    """Whether the selection asks devices what a model loses on all that they hold."""
    found = _selection(facts)
    return found is not None and any(need in ("candidate losses", "gradients") for need in found.needs)


def _no_bound(facts: Facts) -> bool:
    """Whether private checks score what no public number bounds."""
    first = next(iter(facts.get("utility") or ()), None)
    member = UTILITY.members().get(str(first.get("kind"))) if isinstance(first, Mapping) else None
    if not facts.get("evaluation.private") or member is None or not issubclass(member, UtilityMetric):
        return False
    return member.record_bounds(facts.get("evaluation.private.most_loss")) is None


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
        id="FED-40",
        when=lambda facts: _few_labels(facts) and task_of(facts) not in (None, "intent", "tagging", "joint"),
        verdict="refuse",
        sentence="the records of this task have no label that a user could confirm or a device could make: write labels: {kind: given}",
        source="self-training makes labels of classes (Lee 2013)",
        path="labels",
    ),
    Rule(
        id="FED-41",
        when=lambda facts: _few_labels(facts) and _asks_for_labels(facts),
        verdict="refuse",
        sentence="this selection asks devices for losses on records whose label nobody confirmed: use one that needs none, or labels: {kind: given}",
        source="a loss needs a label, and devices have few",
        path="federation.selection",
    ),
    Rule(
        id="FED-42",
        when=lambda facts: _few_labels(facts) and compares_pools(facts),
        verdict="label",
        sentence="attacks score members by labels that training never saw: of unconfirmed records the model may know the text and not the label",
        source="membership is inferred from the loss on what was trained on (Yeom et al., CSF 2018)",
        path="attacks",
    ),
    Rule(
        id="FED-43",
        when=lambda facts: bool(facts.get("evaluation.private")) and facts.get("data.public_size") is None,
        verdict="refuse",
        sentence="private checks ask devices by coins of a public rate: give data.public_size, the public number of devices",
        source="of a fixed number of devices, one that comes displaces another, and the sums move by two",
        path="evaluation.private",
    ),
    Rule(
        id="FED-44",
        when=lambda facts: bool(facts.get("evaluation.private")) and facts.get("federation.timeline.kind", "static") != "static",
        verdict="refuse",
        sentence="private checks are of all test records, and windows are cut where everybody's records say: write federation.timeline: {kind: static}",
        source="derived: cuts at quantiles of private times move with every device",
        path="evaluation.private",
    ),
    Rule(
        id="FED-45",
        when=_no_bound,
        verdict="refuse",
        sentence="no public number bounds what a record adds to the sums of the first utility metric: put accuracy first, or loss with "
        "evaluation.private.most_loss",
        source="the noise of a sum is in proportion to what one user can add to it (Dwork et al., TCC 2006)",
        path="evaluation.private",
    ),
    Rule(
        id="FED-46",
        when=lambda facts: bool(facts.get("evaluation.private")) and private(facts),
        verdict="label",
        sentence="epsilon covers the model and its checks, whose scores are of noisy sums; utility at the end, by activity, coverage and costs are measured on "
        "private records without noise",
        source="numbers beside them are further releases",
        path="evaluation.private",
    ),
    Rule(
        id="FED-47",
        when=lambda facts: bool(facts.get("evaluation.private")) and not private(facts),
        verdict="label",
        sentence="the checks are private and the model is not: privacy/epsilon_evaluation says nothing of what the model gives away",
        source="a guarantee is of what it composes",
        path="evaluation.private",
    ),
)
