"""What sources share of which only some records have a label."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.seeds import uniform
from tasks.federated.labels import Labels


class FewLabels(Labels):
    """A keyed coin per record says whether its user confirmed its label: all arms of a seed have the same."""

    complete: ClassVar[bool] = False

    labelled: float = Field(default=0.1, gt=0, le=1, description="Probability that a record's user confirmed its label.")

    def is_confirmed(self, record: str, seed: int) -> bool:
        """By the coin of the record."""
        return uniform(seed, "confirmed-label", record) < self.labelled
