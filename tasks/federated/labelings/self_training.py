"""Labels that devices make themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.federated.labelings._few import FewLabels


class SelfTraining(FewLabels):
    """A device labels its unconfirmed records with the model that it is sent, and keeps those that the model is sure of (Lee 2013).

    It does so anew each time it is asked, before it trains, and trains on confirmed and kept records alike. The confidence of an intent is its
    probability; that of a text with tags is the least probability of any of its words' tags (and of its intent). Under differential privacy
    such labels cost nothing more: they follow from the device's own records and from the model, which is already paid for.
    """

    kind: Literal["self-training"]
    threshold: float = Field(default=0.9, ge=0, le=1, description="The least confidence of a label that is kept.")
    warm_up: int = Field(default=0, ge=0, le=1_000_000, description="First rounds, in which devices train on confirmed records alone.")

    @property
    def least_confidence(self) -> float | None:
        """The threshold."""
        return self.threshold

    @property
    def first_round(self) -> int:
        """After the warm-up."""
        return self.warm_up
