"""Labels: where those that devices train on come from."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from tasks.core.component import Component, Family


class Labels(Component, ABC):
    """Base of every source of labels."""

    complete: ClassVar[bool] = True
    """Whether every record is trained on with the label that the data has."""

    @property
    def least_confidence(self) -> float | None:
        """Of labels that devices make themselves: what a model must be sure of; None where they make none."""
        return None

    @property
    def first_round(self) -> int:
        """The round from which on devices make labels."""
        return 0

    def is_confirmed(self, record: str, seed: int) -> bool:
        """Whether the user confirmed the label of a record, by its id and the seed of the trial."""
        return True


LABELS = Family("labels", "tasks.federated.labelings", Labels)
