"""Kind ``dp-training``: what a privacy mechanism costs a model in utility and fairness, and what attacks still find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from specs.schemas.study import Study
from tasks.attacks.attack import ATTACKS, Attack
from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.models.model import MODELS, Model
from tasks.privacy.account import Account
from tasks.privacy.privacy import PRIVACY, Privacy, Setting, guarantee
from tasks.privacy.search import Search
from tasks.training.training import Training
from tasks.utility.metric import UTILITY, UtilityMetric

MOST_MEASUREMENTS = 100
COSTS = ("cost/train_seconds", "cost/examples_per_second", "cost/step_seconds", "cost/peak_memory_mib")

_UTILITY_OF_TASK = {
    "intent": ("accuracy", "loss"),
    "joint": ("accuracy", "slot-f1", "loss"),
    "tagging": ("slot-f1", "loss"),
    "lm": ("bits-per-byte", "loss"),
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


def _no_privacy() -> Privacy:
    found = PRIVACY.parse({"kind": "none"})
    assert isinstance(found, Privacy)
    return found


class DpTrainingStudy(Study):
    """Train models under a privacy mechanism, or none, and compare utility, attacks, fairness and cost."""

    kind: Literal["dp-training"]
    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="The examples.")
    model: Annotated[Model, OneOf(MODELS)] = Field(description="The architecture and its tokenizer.")
    training: Training = Field(default_factory=Training, description="Epochs, batch size, optimizer, schedule.")
    privacy: Annotated[Privacy, OneOf(PRIVACY)] = Field(
        default_factory=_no_privacy,
        description="The privacy mechanism; none trains without a guarantee.",
    )
    search: Search | None = Field(default=None, description="Many settings tried, the best released, and the choice charged for.")
    utility: tuple[Annotated[UtilityMetric, OneOf(UTILITY)], ...] = Field(
        default_factory=_default_utility,
        max_length=MOST_MEASUREMENTS,
        description="How good the model is; by default what the task is usually judged by.",
    )
    attacks: tuple[Annotated[Attack, OneOf(ATTACKS)], ...] = Field(
        default_factory=_default_attacks, max_length=MOST_MEASUREMENTS, description="What an attacker finds; an empty list is not measured."
    )
    fairness: tuple[Annotated[FairnessMetric, OneOf(FAIRNESS)], ...] = Field(
        default_factory=_default_fairness, max_length=MOST_MEASUREMENTS, description="How groups of people differ; an empty list is not measured."
    )

    def metrics(self) -> tuple[str, ...]:
        """Utility, attacks, fairness and costs."""
        utility = (metric.metric("utility") for metric in self.utility)
        attacks = (attack.metric("privacy") for attack in self.attacks)
        fairness = (metric.metric("fairness") for metric in self.fairness)
        return (*utility, *attacks, *fairness, *type(self.privacy).metrics, *COSTS)

    def account(self) -> Account | None:
        """What a trial spends. Its first time may take seconds."""
        setting = Setting(self.data.public_size, self.training.expected_batch_size, self.training.epochs, self.randomness, self.search)
        return self.privacy.account(setting)

    def guarantee(self) -> str:
        """That of the mechanism."""
        return guarantee(self.account())

    @model_validator(mode="after")
    def _searchable(self) -> DpTrainingStudy:
        """Every value of a search gives a valid training."""
        if self.search is None:
            return self
        values = {name: getattr(self, name).model_dump(mode="json") for name in ("model", "training", "privacy")}
        for path, choices in self.search.over.items():
            for choice in choices:
                try:
                    changed = self.search.applied(values, {path: choice})
                    TypeAdapter(type(self.model)).validate_python(changed["model"])
                    Training.model_validate(changed["training"])
                    TypeAdapter(type(self.privacy)).validate_python(changed["privacy"])
                except (KeyError, TypeError):
                    raise ValueError(f"search.over: there is no '{path}'") from None
                except ValidationError as error:
                    wrong = error.errors()[0]
                    unknown = wrong["type"] == "extra_forbidden" and path.endswith(f".{wrong['loc'][-1]}")
                    raise ValueError(f"search.over: there is no '{path}'" if unknown else f"search.over: {path}: {wrong['msg']} (got {choice!r})") from None
        return self

    def summary(self) -> str:
        """Model and data."""
        return f"{self.model.kind} on {self.data.kind}"
