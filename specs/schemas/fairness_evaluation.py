"""Kind ``fairness-evaluation``: what metrics of a representation and metrics of a task's answers say of many models, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from specs.schemas._measured import MOST_MEASUREMENTS, measured
from specs.schemas.study import ArmName, Block, Study, Sweep
from tasks.attacks.attack import ATTACKS, Attack
from tasks.attacks.audit import with_family
from tasks.comparison.correlation import Correlation
from tasks.comparison.results import MetricFacts
from tasks.core.component import OneOf
from tasks.core.measures import FineTuned, Predictions
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.models.ability import ReadAs
from tasks.models.model import LOADED, MODELS, Model
from tasks.training.training import Training
from tasks.utility.metric import UTILITY, UtilityMetric

ALIGNED = "aligned"


def _family(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    return model.kind if isinstance(model, Model) else ""


class ModelEntry(Block):
    """One model: trained here where it has data, else measured as it was published or recorded."""

    label: ArmName = Field(description="Its name in every table: letters, digits, '.', '_' and '-'.")
    model: Annotated[Model, OneOf(MODELS)] = Field(description="The architecture and its tokenizer, or a published or recorded model.")
    family: str = Field(default_factory=_family, max_length=64, description="Models that are alike count less than strangers in a correlation.")
    data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(default=None, description="What it is trained on here, task lm, mlm or intent.")
    training: Training = Field(default_factory=Training, description="How, where it is trained here.")
    read_as: ReadAs = Field(default="auto", description="What a published model is read as.")

    @model_validator(mode="after")
    def _loaded_or_trained(self) -> ModelEntry:
        if self.data is None and self.model.kind not in LOADED:
            raise ValueError(f"'{self.label}' of kind {self.model.kind} has no weights yet: give it data to train on, or a pretrained or mlflow model")
        if self.data is not None and self.read_as != "auto":
            raise ValueError(f"'{self.label}': read_as is for models that are loaded; what is trained here follows from data.task")
        return self


class FairnessEvaluationStudy(Study):
    """Measure many models by many fairness metrics, intrinsic and extrinsic, and correlate the metrics over the models."""

    kind: Literal["fairness-evaluation"]
    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1, max_length=200)] = Field(description="The models; each is an arm of the study.")
    fairness: Annotated[
        tuple[Annotated[FairnessMetric, OneOf(FAIRNESS)], ...],
        Field(min_length=1, max_length=MOST_MEASUREMENTS, description="What is measured of each model."),
    ]
    utility: Annotated[
        tuple[Annotated[UtilityMetric, OneOf(UTILITY)], ...],
        Field(default=(), max_length=MOST_MEASUREMENTS, description="How good the models that are trained here are, on their own test split."),
    ]
    attacks: Annotated[
        tuple[Annotated[Attack, OneOf(ATTACKS)], ...],
        AfterValidator(with_family),
        Field(default=(), max_length=MOST_MEASUREMENTS, description="What an attacker finds in the models that are trained here."),
    ]
    correlation: Correlation | None = Field(default=None, description="Whether metrics agree over the models; nothing without it.")

    @model_validator(mode="after")
    def _models_are_arms(self) -> FairnessEvaluationStudy:
        """Each model is an arm, under its label."""
        labels = [entry.label for entry in self.models]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"models: the label '{twice[0]}' is given twice")
        arms: dict[str, Any] = {entry.label: {"models": [entry.model_dump(mode="json")]} for entry in self.models}
        if self.sweep.arms and list(self.sweep.arms) != labels:
            raise ValueError("sweep.arms: the models are the arms of this kind; add a model instead")
        object.__setattr__(self, "sweep", Sweep(seeds=self.sweep.seeds, baseline=self.sweep.baseline, arms=arms, grid=self.sweep.grid))
        return self

    @model_validator(mode="after")
    def _alignable(self) -> FairnessEvaluationStudy:
        """What aligns a metric leaves it a metric."""
        for index, metric in enumerate(self.fairness):
            try:
                aligned(metric)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"fairness[{index}].aligned{'.' if where else ''}{where}: {first['msg'].removeprefix('Value error, ')}") from None
        return self

    @model_validator(mode="after")
    def _measurable(self) -> FairnessEvaluationStudy:
        """Nothing is asked of a model that was not trained here which needs its training or its own test split."""
        study: dict[str, Any] = self.model_dump(mode="json", include={"kind", "models"})
        for name in ("utility", "attacks", "fairness"):
            for index, found in enumerate(getattr(self, name)):
                needs = found.needs(study)
                for entry in self.models:
                    own = name != "fairness" or any(isinstance(need, Predictions) for need in needs) or getattr(found, "reads_own_data", False)
                    if entry.data is None and own:
                        raise ValueError(f"{name}[{index}]: {found.kind} reads the data that a model was trained on, and '{entry.label}' is loaded")
                    if entry.model.kind == "linear" and any(isinstance(need, FineTuned) for need in needs):
                        raise ValueError(f"{name}[{index}]: {found.kind} fine-tunes each model, and '{entry.label}' is linear: it has no body to keep")
        return self

    @property
    def entry(self) -> ModelEntry:
        """The model of a trial."""
        return self.models[0]

    @property
    def measurements(self) -> tuple[FairnessMetric, ...]:
        """The fairness metrics as written, and, where a correlation compares both, their aligned forms under ``<name>-aligned``."""
        if self.correlation is None or ALIGNED not in self.correlation.alignment:
            return self.fairness
        return (*self.fairness, *(twin for metric in self.fairness if (twin := aligned(metric)) is not None))

    def metrics(self) -> tuple[str, ...]:
        """Utility, attacks, fairness and, for models that are trained here, costs."""
        costs = ("cost/train_seconds", "cost/examples_per_second", "cost/step_seconds", "cost/peak_memory_mib") if self.entry.data is not None else ()
        return (*measured(self.utility, self.attacks, self.measurements), *costs)

    def apart(self, **changes: Any) -> FairnessEvaluationStudy:
        """See Study; the data is that of the trial's model."""
        assert self.entry.data is not None  # no attack is on a model that was not trained here
        entry = self.entry.model_copy(update={"data": self.entry.data.model_copy(update={"population": None})})
        return self.model_copy(update={"models": (entry,), **changes})

    def family(self) -> str:
        """That of the trial's model."""
        return self.entry.family

    def headlines(self) -> Mapping[str, MetricFacts]:
        """The headline of each fairness metric, and of its aligned form."""
        found: dict[str, MetricFacts] = {}
        for metric in self.fairness:
            if not metric.headline:
                continue
            name = metric.metric("fairness", metric.headline)
            found[name] = MetricFacts(metric.side, "original", name)
            twin = aligned(metric)
            if twin is not None:
                found[twin.metric("fairness", twin.headline)] = MetricFacts(twin.side, "aligned", name)
        return found

    def summary(self) -> str:
        """The model and what it was trained on."""
        entry = self.entry
        return f"{entry.label}: {entry.model.kind}" + (f" trained on {entry.data.kind}, task {entry.data.resolved_task}" if entry.data is not None else "")


def aligned(metric: FairnessMetric) -> FairnessMetric | None:
    """A metric with the changes that align it; None where it has none. Raises ValidationError for changes that do not fit."""
    if metric.aligned is None:
        return None
    values = metric.model_dump(mode="json")
    label = f"{metric.metric('fairness').removeprefix('fairness/')}-{ALIGNED}"
    return type(metric).model_validate({**values, **metric.aligned, "aligned": None, "label": label})
