"""Counterfactual logit pairing: a classifier is made to answer a text and its role reversal alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.component import OneOf
from tasks.core.errors import UserError
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual, gender

if TYPE_CHECKING:
    import pandas as pd

    from tasks.models.model import TaskShape
    from tasks.text.tokenizer import TextEncoder
    from tasks.training.gradients import Paired

TASK = "intent"


class Pairing(BaseModel):
    """Counterfactual logit pairing (Garg et al., AIES 2019): the loss of a text x with a role reversal x' grows by ``weight`` mean |g(x) - g(x')|.

    g are the logits of the labels, over which the mean is. A text without a reversal adds nothing. Text and reversal are asked in one step, under the same
    dropout masks where they have as many tokens. Validation and attacks see the usual loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: float = Field(default=1.0, gt=0, le=1000, description="How much a gap between the logits of text and reversal counts, beside the usual loss.")
    table: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)] = Field(default_factory=gender, description="The table of words that a role reversal swaps.")


def encode_paired(records: pd.DataFrame, encoder: TextEncoder, shape: TaskShape, pairing: Pairing) -> Paired:
    """A split's records as tensors, with those of the reversals beside them. Raises UserError for a task without labels of whole texts alone."""
    import torch

    from tasks.models.batches import encode_split
    from tasks.text.reversal import Reversed
    from tasks.training.gradients import Paired, PairedLoss

    if shape.task != TASK:
        raise UserError(f"training.pairing compares the logits of labels, and task '{shape.task}' has none of its own; it is for {TASK}")
    reverser = pairing.table.reverser()
    found = [reverser.reverse(text) for text in records["text"]]
    has = torch.tensor([isinstance(one, Reversed) for one in found], dtype=torch.bool)
    twins = records[has.numpy()].assign(text=[one.text for one in found if isinstance(one, Reversed)])
    plain = encode_split(records, encoder, shape)
    places = torch.where(has, has.cumsum(0) - 1, -1)
    return Paired(**{**vars(plain), "loss": PairedLoss(pairing.weight)}, twins=encode_split(twins, encoder, shape), twin=places)
