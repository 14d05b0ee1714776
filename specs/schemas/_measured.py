"""What every kind of study that trains is measured by: utility, attacks, fairness, and the defaults that follow from its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tasks.attacks.attack import ATTACKS, Attack
from tasks.attacks.audit import with_family
from tasks.core.component import OneOf
from tasks.core.measures import Measurement
from tasks.data.canary import CANARIES, Canaries
from tasks.data.dataset import Dataset
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.utility.metric import UTILITY, UtilityMetric

MOST_MEASUREMENTS = 100
COSTS = ("cost/train_seconds", "cost/examples_per_second", "cost/step_seconds", "cost/peak_memory_mib")

_UTILITY_OF_TASK = {
    "intent": ("accuracy", "loss"),
    "joint": ("accuracy", "slot-f1", "loss"),
    "tagging": ("slot-f1", "loss"),
    "qa": ("exact-match", "token-f1", "loss"),
    "seq2seq": ("perplexity", "loss"),
    "lm": ("bits-per-byte", "loss"),
    "mlm": ("loss",),
}


def _default_utility(fields: Mapping[str, Any]) -> tuple[UtilityMetric, ...]:
    """The metrics of the task that the data serves; none where the data block itself is wrong."""
    data = fields.get("data")
    kinds = _UTILITY_OF_TASK.get(data.resolved_task, ("loss",)) if isinstance(data, Dataset) else ()
    return tuple(UTILITY.parse({"kind": kind}) for kind in kinds)  # type: ignore[misc]


def _default_attacks(fields: Mapping[str, Any]) -> tuple[Attack, ...]:
    """The loss threshold, where non-members are held out for it."""
    data = fields.get("data")
    kinds = ("loss-threshold",) if isinstance(data, Dataset) and data.attack_holdout else ()
    return tuple(ATTACKS.parse({"kind": kind}) for kind in kinds)  # type: ignore[misc]


def _default_fairness(fields: Mapping[str, Any]) -> tuple[FairnessMetric, ...]:
    """The accuracy gap, where records name groups."""
    data = fields.get("data")
    kinds = ("accuracy-gap",) if isinstance(data, Dataset) and data.has_groups and data.resolved_task in ("intent", "joint") else ()
    return tuple(FAIRNESS.parse({"kind": kind}) for kind in kinds)  # type: ignore[misc]


UtilityList = Annotated[
    tuple[Annotated[UtilityMetric, OneOf(UTILITY)], ...],
    Field(
        default_factory=_default_utility,
        max_length=MOST_MEASUREMENTS,
        description="How good the model is; by default what the task is usually judged by.",
    ),
]
AttackList = Annotated[
    tuple[Annotated[Attack, OneOf(ATTACKS)], ...],
    AfterValidator(with_family),
    Field(default_factory=_default_attacks, max_length=MOST_MEASUREMENTS, description="What an attacker finds; an empty list is not measured."),
]
FairnessList = Annotated[
    tuple[Annotated[FairnessMetric, OneOf(FAIRNESS)], ...],
    Field(default_factory=_default_fairness, max_length=MOST_MEASUREMENTS, description="How groups of people differ; an empty list is not measured."),
]

CanariesBlock = Annotated[
    Annotated[Canaries, OneOf(CANARIES)] | None,
    Field(description="Secrets written into the training data, for attacks to look for; none without it."),
]


def measured(utility: tuple[Measurement, ...], attacks: tuple[Measurement, ...], fairness: tuple[Measurement, ...]) -> tuple[str, ...]:
    """The beginnings of the names of all that is measured."""
    lists = {"utility": utility, "privacy": attacks, "fairness": fairness}
    return tuple(measurement.metric(prefix) for prefix, found in lists.items() for measurement in found)
