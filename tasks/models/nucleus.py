"""What may be drawn next: temperature, the likeliest k, the nucleus; sorted by numpy on a processor, which takes a tenth of the time of torch there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from tasks.models.decoding import Decoding


class Drawable(LogitsProcessor):
    """Scores after which a token is drawn from their softmax: divided by the temperature, then -inf where a token is not among the likeliest ``top_k``,
    then where it is not in the nucleus of what is left: the fewest of the likeliest tokens that together reach ``top_p``, and all as likely as the last.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(N, V) of scores (N, V)."""
        how = self._decoding
        found = scores / how.temperature if how.temperature != 1 else scores
        if how.top_k is not None and how.top_k < found.shape[-1]:
            found = found.masked_fill(found < found.topk(how.top_k, dim=-1).values[:, -1:], -torch.inf)
        if how.top_p < 1:
            probabilities = found.softmax(dim=-1)
            found = found.masked_fill(probabilities < _least(probabilities, how.top_p), -torch.inf)
        return found


def _least(probabilities: Tensor, top_p: float) -> Tensor:
    """(N, 1) the probability of the nucleus' last token, of (N, V)."""
    ordered = torch.from_numpy(np.sort(probabilities.numpy(), axis=-1)) if probabilities.device.type == "cpu" else probabilities.sort(dim=-1).values
    left_out = (ordered.cumsum(dim=-1) <= 1 - top_p).sum(dim=-1, keepdim=True)
    return ordered.gather(-1, left_out.clamp(max=probabilities.shape[-1] - 1))
