"""Kind ``fl-selection``: who is asked to train on skewed devices, and what that does to the model, to light users and to cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from specs.schemas._measured import AttackList, CanariesBlock, FairnessList, UtilityList, measured
from specs.schemas.study import Block, Study
from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.federated.charging import account_of
from tasks.federated.evaluation import EVALUATIONS, Evaluation
from tasks.federated.federation import Federation
from tasks.federated.labels import LABELS, Labels
from tasks.federated.partition import PARTITIONS, Partition
from tasks.models.model import MODELS, Model
from tasks.privacy.account import Account
from tasks.privacy.privacy import PRIVACY, Privacy, guarantee, no_privacy
from tasks.utility.metric import UtilityMetric

COSTS = (
    "cost/train_seconds",
    "cost/round_seconds",
    "cost/peak_memory_mib",
    "cost/device_flops",
    "cost/extra_flops",
    "cost/uploaded_mib",
    "cost/downloaded_mib",
    "cost/queries",
    "cost/server_memory_mib",
)
FEDERATED = (
    "federated/coverage",
    "federated/record_coverage",
    "federated/participation_gini",
    "federated/effective_cohort_size",
    "federated/capped_weights",
    "federated/area_under_curve",
)
TO_TARGET = ("federated/rounds_to_target", "federated/uploaded_mib_to_target")
OF_SELF_TRAINING = ("federated/self_labelled", "federated/self_label_accuracy")
OF_WINDOWS = ("federated/average_performance", "federated/forgetting", "federated/backward_transfer")


def _default_evaluation(fields: Mapping[str, Any]) -> Evaluation:
    found = EVALUATIONS.parse({"kind": "central"})
    assert isinstance(found, Evaluation)
    return found


def _given_labels() -> Labels:
    found = LABELS.parse({"kind": "given"})
    assert isinstance(found, Labels)
    return found


class CatchUp(Block):
    """When a model that sees data window by window counts as level with one that had all data at once."""

    margin: float = Field(default=0.02, ge=0, description="How much worse it may still score, in units of the metric.")
    hold: int = Field(default=2, ge=1, le=1000, description="For how many checks in a row.")


class FlSelectionStudy(Study):
    """Train one model across devices, and compare strategies of selection by utility, who is served, and cost."""

    kind: Literal["fl-selection"]
    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="The examples.")
    partition: Annotated[Partition, OneOf(PARTITIONS)] = Field(description="Which device holds which record.")
    labels: Annotated[Labels, OneOf(LABELS)] = Field(
        default_factory=_given_labels, description="given: those of the data; confirmed: few; self-training: few, and those that devices make."
    )
    model: Annotated[Model, OneOf(MODELS)] = Field(description="The architecture and its tokenizer.")
    privacy: Annotated[Privacy, OneOf(PRIVACY)] = Field(
        default_factory=no_privacy, description="The privacy mechanism of what devices send; none trains without a guarantee."
    )
    federation: Federation = Field(default_factory=Federation, description="Rounds, selection, availability, local training, server, timeline.")
    evaluation: Annotated[Evaluation, OneOf(EVALUATIONS)] = Field(
        default_factory=_default_evaluation, description="central, or federated: devices hold test data."
    )
    catch_up: CatchUp = Field(default_factory=CatchUp, description="For timelines with a reference: when a model has caught up with it.")
    canaries: CanariesBlock = None
    utility: UtilityList
    attacks: AttackList
    fairness: FairnessList

    @model_validator(mode="after")
    def _scored(self) -> FlSelectionStudy:
        """The first metric is what checks score while devices train."""
        if not self.utility:
            raise ValueError("utility: name at least one metric; the first is scored while devices train")
        if self.data.resolved_task not in self.scored.tasks:
            raise ValueError(
                f"utility[0]: {self.scored.kind} does not judge task '{self.data.resolved_task}', and the first metric is scored while devices train"
            )
        if not self.scored.of_predictions:
            raise ValueError(f"utility[0]: {self.scored.kind} needs more than predictions, and the first metric is scored while devices train")
        return self

    @model_validator(mode="after")
    def _by_one(self) -> FlSelectionStudy:
        if self.execution.processes_per_training > 1:
            raise ValueError("execution.processes_per_training: the devices of a federation are trained by one process: leave it out")
        return self

    @property
    def scored(self) -> UtilityMetric:
        """What checks score while devices train."""
        return self.utility[0]

    @property
    def has_reference(self) -> bool:
        """Whether a second training, which has all data at once, is compared with."""
        return getattr(self.federation.timeline, "reference", None) is not None

    def metrics(self) -> tuple[str, ...]:
        """Utility, attacks, fairness, participation, the course of training, and costs."""
        found = [*measured(self.utility, self.attacks, self.fairness), *FEDERATED, *self.privacy.metrics]
        found += ["federated/rate"] if self.privacy.kind != "none" else []
        found += TO_TARGET if self.evaluation.target is not None else ()
        found += OF_WINDOWS if self.federation.timeline.windowed else ()
        found += ["federated/rounds_to_catch_up"] if self.has_reference else []
        found += ("federated/erased_devices",) if self.federation.timeline.erases else ()
        found += ("privacy/epsilon_evaluation",) if getattr(self.evaluation, "private", None) is not None else ()
        found += OF_SELF_TRAINING if self.labels.least_confidence is not None else ()
        return (*found, *COSTS)

    def account(self) -> Account | None:
        """What a trial spends. Its first time may take seconds."""
        return account_of(self.federation, self.privacy, self.data.public_size, self.randomness, self.partition.unit, self.evaluation)

    def guarantee(self) -> str:
        """That of the mechanism."""
        return guarantee(self.account())

    def summary(self) -> str:
        """Model, data and who is asked."""
        federation = self.federation
        asked = f"{federation.selection.kind} of {federation.cohort_size}"
        return f"{self.model.kind} on {self.data.kind}, {asked}, {federation.rounds} rounds, {federation.timeline.kind}"
