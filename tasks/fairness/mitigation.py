"""Mitigations: what is done to a trained model to make it fairer, without training it again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tasks.core.component import Component, Family
from tasks.core.measures import Row

if TYPE_CHECKING:
    from torch import nn

    from tasks.models.artifact import LoadedModel
    from tasks.text.counterfactual import Counterfactual


class Mitigation(Component, ABC):
    """Base of every mitigation.

    Class facts: ``changes``, whether it does anything; ``reads_training_texts``, whether what it does follows from the texts that the model was trained on.
    """

    changes: ClassVar[bool] = True
    reads_training_texts: ClassVar[bool] = False

    @abstractmethod
    def apply(self, loaded: LoadedModel, data: Path, counterfactual: Counterfactual, seed: int, device: str) -> tuple[nn.Module, tuple[Row, ...]]:
        """The amended network, and numbers on it. ``data``: folder of prepared texts."""


MITIGATIONS = Family("mitigation", "tasks.fairness.mitigations", Mitigation)
