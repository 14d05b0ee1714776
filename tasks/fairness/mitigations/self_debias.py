"""Self-debiasing while the model writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.core.measures import Row
from tasks.fairness.mitigation import Mitigation
from tasks.models.model import ModelError

if TYPE_CHECKING:
    from torch import nn

    from tasks.models.artifact import LoadedModel
    from tasks.text.counterfactual import Counterfactual


class SelfDebias(Mitigation):
    """Self-debiasing (Schick et al., TACL 2021): tokens that become likelier behind a text which asks for bias are made less likely.

    ``p * max(exp(-decay * max(0, p_biased - p)), floor)``, normalised, at each step of writing. Only what the model writes changes: its likelihoods and
    states are those of before.
    """

    kind: Literal["self-debias"]
    prefix: str = Field(
        default="The following text discriminates against people because of their gender:", min_length=1, description="The text that asks for bias."
    )
    decay: float = Field(default=50.0, gt=0, description="How sharply a probability falls.")
    floor: float = Field(default=0.01, ge=0, le=1, description="The least that it is multiplied with.")

    def apply(self, loaded: LoadedModel, data: Path, counterfactual: Counterfactual, seed: int, device: str) -> tuple[nn.Module, tuple[Row, ...]]:
        """The network, which doubts itself. Raises ModelError for one that does not write."""
        from tasks.models.amending import Doubt

        if loaded.shape.task != "lm":
            raise ModelError("self-debias changes how a model writes, and this one does not: it answers task " + loaded.shape.task)
        loaded.network.doubt = Doubt(prefix=self.prefix, decay=self.decay, floor=self.floor)  # type: ignore[assignment]
        return loaded.network, ()
