"""Hidden tokens for masked language models: which are hidden follows from the example and the draw, so a step masks alike however it is batched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.models.model import ModelError
from tasks.text.tokenizer import TextEncoder

RATE, MASKED, REPLACED = 0.15, 0.8, 0.9
"""Share of tokens to predict; below MASKED of them are hidden, up to REPLACED a random token stands there, the rest stay (Devlin et al., NAACL 2019)."""
IGNORED = -100

Counters = NDArray[np.uint64]


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden.

    Args:
        mask_id: stands for a hidden token.
        marks: ids that are never hidden: padding, begin, end.
        vocabulary: random tokens are drawn below this.
        rate: share of tokens to predict.
    """

    mask_id: int
    marks: tuple[int, ...]
    vocabulary: int
    rate: float = RATE

    @classmethod
    def of(cls, encoder: TextEncoder) -> Masking:
        """That of a tokenizer. Raises ModelError where it has no mask."""
        if encoder.mask_id is None:
            raise ModelError("this tokenizer has no mask: give model.tokenizer {kind: trained, ...} or {kind: bytes} for task 'mlm'")
        return cls(encoder.mask_id, tuple(sorted({*encoder.mark_ids, encoder.pad_id, encoder.mask_id})), encoder.vocabulary_size)

    def hide(self, ids: Tensor, present: Tensor, examples: Tensor, draw: int) -> tuple[Tensor, Tensor]:
        """Ids with tokens hidden, and the targets: what stood there, -100 elsewhere. At least one token of each example that has any.

        Args:
            ids: (B, L) long.
            present: (B, L) bool.
            examples: (B,) long, who they are.
            draw: which draw, a training's step.
        """
        allowed = present & ~torch.isin(ids, torch.tensor(self.marks))
        places = np.arange(ids.shape[1], dtype=np.uint64)
        coins = _coins(examples.numpy().astype(np.uint64)[:, None], places, draw, 0)
        first = np.where(allowed.numpy(), coins, 2.0).argmin(axis=1)
        chosen = torch.from_numpy(coins < self.rate)
        chosen[torch.arange(len(ids)), torch.from_numpy(first)] = True
        chosen &= allowed
        how = torch.from_numpy(_coins(examples.numpy().astype(np.uint64)[:, None], places, draw, 1))
        other = torch.from_numpy((_coins(examples.numpy().astype(np.uint64)[:, None], places, draw, 2) * self.vocabulary).astype(np.int64))
        hidden = torch.where(chosen & (how < MASKED), self.mask_id, ids)
        hidden = torch.where(chosen & (how >= MASKED) & (how < REPLACED), other, hidden)
        return hidden, ids.masked_fill(~chosen, IGNORED)


def _coins(examples: Counters, places: Counters, draw: int, purpose: int) -> NDArray[np.float64]:
    """(B, L) uniform in [0, 1): a counter-based hash (splitmix64, Steele et al. 2014) of example, place, draw and purpose."""
    drawn = np.full(1, 3 * draw + purpose, dtype=np.uint64)
    mixed = _mixed(examples + np.uint64(1)) ^ _mixed(places + np.uint64(1 << 32))
    mixed = _mixed(mixed ^ _mixed(drawn + np.uint64(1 << 40)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(value: Counters) -> Counters:
    """Arrays wrap around in silence, which is wanted here."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
