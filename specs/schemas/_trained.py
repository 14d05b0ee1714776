"""What the kinds that train one model on one data set share: data, model, training, privacy, canaries, and what is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from specs.schemas._measured import COSTS, AttackList, CanariesBlock, FairnessList, UtilityList, measured
from specs.schemas.study import Study
from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.models.model import MODELS, Model
from tasks.privacy.account import Account
from tasks.privacy.privacy import PRIVACY, Privacy, Setting, guarantee, no_privacy
from tasks.privacy.search import Search
from tasks.training.training import Training


class TrainedStudy(Study):
    """Base of the kinds whose trial trains one model on one data set."""

    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="The examples.")
    model: Annotated[Model, OneOf(MODELS)] = Field(description="The architecture and its tokenizer.")
    training: Training = Field(default_factory=Training, description="Epochs, batch size, optimizer, schedule.")
    privacy: Annotated[Privacy, OneOf(PRIVACY)] = Field(
        default_factory=no_privacy,
        description="The privacy mechanism; none trains without a guarantee.",
    )
    search: Search | None = Field(default=None, description="Many settings tried, the best released, and the choice charged for.")
    canaries: CanariesBlock = None
    utility: UtilityList
    attacks: AttackList
    fairness: FairnessList

    def metrics(self) -> tuple[str, ...]:
        """Utility, attacks, fairness and costs."""
        return (*measured(self.utility, self.attacks, self.fairness), *self.privacy.metrics, *COSTS)

    def account(self) -> Account | None:
        """What a trial spends. Its first time may take seconds."""
        setting = Setting(self.data.public_size, self.training.expected_batch_size, self.training.epochs, self.randomness, self.search)
        return self.privacy.account(setting)

    def guarantee(self) -> str:
        """That of the mechanism."""
        return guarantee(self.account())

    @model_validator(mode="after")
    def _searchable(self) -> TrainedStudy:
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
