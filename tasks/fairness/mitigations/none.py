"""The model as it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.core.measures import Row
from tasks.fairness.mitigation import Mitigation

if TYPE_CHECKING:
    from torch import nn

    from tasks.models.artifact import LoadedModel
    from tasks.text.counterfactual import Counterfactual


class NoMitigation(Mitigation):
    """Nothing is done."""

    changes: ClassVar[bool] = False

    kind: Literal["none"]

    def apply(self, loaded: LoadedModel, data: Path, counterfactual: Counterfactual, seed: int, device: str) -> tuple[nn.Module, tuple[Row, ...]]:
        """The network itself."""
        return loaded.network, ()
