"""Kind ``privacy-audit``: what a model leaks of the records it was trained on, by membership inference, audits and canaries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from specs.schemas._measured import measured
from specs.schemas._trained import TrainedStudy
from tasks.models.model import LOADED
from tasks.training.training import Training


class PrivacyAuditStudy(TrainedStudy):
    """Attack and audit a model: one that is trained here, or a published or recorded one as it is."""

    kind: Literal["privacy-audit"]
    members: Literal["recorded", "train-split"] = Field(
        default="recorded",
        description="Of a published or recorded model: which records it was trained on. recorded: those it says itself; train-split: the data's own split.",
    )

    @property
    def is_loaded(self) -> bool:
        """Whether the model was trained elsewhere."""
        return self.model.kind in LOADED

    @model_validator(mode="after")
    def _as_it_is(self) -> PrivacyAuditStudy:
        """Nothing that trains is asked for beside a model that is there already."""
        if not self.is_loaded:
            if self.members != "recorded":
                raise ValueError("members: is for models that were trained elsewhere; here a coin decides who is a member (data.attack_holdout)")
            return self
        of_training = {
            "training": self.training != Training(),
            "privacy": self.privacy.kind != "none",
            "search": self.search is not None,
            "canaries": self.canaries is not None,
        }
        for name, given in of_training.items():
            if given:
                raise ValueError(
                    f"{name}: model {self.model.kind} is audited as it is, and nothing is trained: leave {name} out (kind dp-training trains it on)"
                )
        if self.data.attack_holdout:
            raise ValueError("data.attack_holdout: a published or recorded model has seen its records already: leave it out (members says which)")
        return self

    def metrics(self) -> tuple[str, ...]:
        """Without what a training costs and spends, where nothing is trained."""
        return measured(self.utility, self.attacks, self.fairness) if self.is_loaded else super().metrics()

    def guarantee(self) -> str:
        """That of the mechanism; of a model from elsewhere nothing is vouched for."""
        return "not a guarantee: the model was trained elsewhere" if self.is_loaded else super().guarantee()
