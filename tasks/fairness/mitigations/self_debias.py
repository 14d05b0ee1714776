"""Self-debiasing while the model writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.measures import Row
from tasks.fairness.mitigation import Mitigation
from tasks.models.decoding import Doubt
from tasks.models.model import ModelError

if TYPE_CHECKING:
    from torch import nn

    from tasks.models.artifact import LoadedModel
    from tasks.text.counterfactual import Counterfactual


class SelfDebias(Doubt, Mitigation):
    """Self-debiasing (Schick et al., TACL 2021): tokens that become likelier behind a text which asks for bias are made less likely.

    ``p * max(exp(-decay * max(0, p_biased - p)), floor)``, normalised, at each step of writing. Only what the model writes changes: its likelihoods and
    states are those of before.
    """

    kind: Literal["self-debias"]

    def apply(self, loaded: LoadedModel, data: Path, counterfactual: Counterfactual, seed: int, device: str) -> tuple[nn.Module, tuple[Row, ...]]:
        """The network, which doubts itself. Raises ModelError for one that does not write."""
        if loaded.shape.task != "lm":
            raise ModelError("self-debias changes how a model writes, and this one does not: it answers task " + loaded.shape.task)
        loaded.network.doubt = Doubt.model_validate({name: getattr(self, name) for name in Doubt.model_fields})  # type: ignore[assignment]
        return loaded.network, ()
