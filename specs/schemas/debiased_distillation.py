"""Kind ``debiased-distillation``: a student learns from a teacher's answers to texts and to their role reversals; is it fairer, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from specs.schemas._measured import COSTS, AttackList, CanariesBlock, FairnessList, UtilityList, measured
from specs.schemas.study import Study
from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.distillation.distillation import Distillation
from tasks.fairness.mitigation import MITIGATIONS, Mitigation
from tasks.fairness.mitigations.none import NoMitigation
from tasks.models.model import LOADED, MODELS, Model
from tasks.privacy.account import Account
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.privacy.privacy import PRIVACY, Privacy, Setting, guarantee
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual, gender
from tasks.training.training import Training

DISTILLATION = ("distillation/texts_reversed", "distillation/places_left_out")


class DebiasedDistillationStudy(Study):
    """Distil a student from a teacher by counterfactual role reversal, and compare fairness of what it writes, utility, attacks and cost."""

    facts_from: ClassVar[Mapping[str, str]] = {"model": "student"}

    kind: Literal["debiased-distillation"]
    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="The texts that the student learns on, task lm.")
    teacher: Annotated[Model, OneOf(MODELS)] = Field(description="A causal language model; it is trained here, unless it is pretrained or recorded.")
    teacher_data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(
        default=None, description="What the teacher is trained on; without it, the student's data."
    )
    teacher_training: Training | None = Field(default=None, description="How; without it as by default, and a pretrained or recorded teacher is used as it is.")
    student: Annotated[Model, OneOf(MODELS)] = Field(description="A causal language model with the teacher's tokenizer.")
    training: Training = Field(default_factory=Training, description="How the student is trained.")
    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)] = Field(
        default_factory=gender, description="The table of words that a role reversal swaps."
    )
    distillation: Distillation = Field(default=Distillation(), description="What the student learns of the teacher.")
    privacy: Annotated[Privacy, OneOf(PRIVACY)] = Field(
        default_factory=lambda: NoPrivacy(kind="none"), description="The mechanism that the student is trained under; none trains without a guarantee."
    )
    mitigation: Annotated[Mitigation, OneOf(MITIGATIONS)] = Field(
        default_factory=lambda: NoMitigation(kind="none"), description="What is done to the trained student: none, erase or self-debias."
    )
    canaries: CanariesBlock = None
    utility: UtilityList
    attacks: AttackList
    fairness: FairnessList

    @model_validator(mode="after")
    def _teachable(self) -> DebiasedDistillationStudy:
        if self.data.resolved_task != "lm":
            raise ValueError(f"data: a student learns to go on with a text: write task: lm (got {self.data.resolved_task})")
        for name in ("teacher", "student"):
            model = getattr(self, name)
            if "lm" not in model.tasks:
                raise ValueError(f"{name}: a model of kind {model.kind} does not go on with a text; choose gpt2, pretrained or mlflow")
        if self.student.kind == "gpt2" and self.teacher.kind == "gpt2" and self.teacher.tokenizer != self.student.tokenizer:
            raise ValueError(f"student.tokenizer: must be the teacher's ({self.teacher.tokenizer.kind}): what one says is told in the tokens of the other")
        return self

    @property
    def teacher_is_loaded(self) -> bool:
        """Whether the teacher is used as it was published or recorded."""
        return self.teacher.kind in LOADED and self.teacher_training is None

    def metrics(self) -> tuple[str, ...]:
        """Utility, attacks, fairness, costs, and how many texts could be reversed."""
        return (*measured(self.utility, self.attacks, self.fairness), *self.privacy.metrics, *COSTS, *DISTILLATION)

    def account(self) -> Account | None:
        """What the training of the student spends. Its first time may take seconds."""
        return self.privacy.account(Setting(self.data.public_size, self.training.expected_batch_size, self.training.epochs, self.randomness, None))

    def guarantee(self) -> str:
        """That of the mechanism."""
        return guarantee(self.account())

    def summary(self) -> str:
        """Teacher, student and data."""
        return f"{self.student.kind} taught by {self.teacher.kind} on {self.data.kind}"
