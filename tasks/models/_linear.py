"""The linear classifier's network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MULTIPLIER = 1_000_003


class Intercept(nn.Module):
    """Adds one weight per label; a module of its own, so that engines of per-example gradients see it."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(labels))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits (B, C)."""
        return logits + self.bias


class LinearNetwork(nn.Module):
    """Logits are the mean of one weight row per word and per pair of words, scaled by sqrt(n), plus a bias."""

    def __init__(self, vocabulary_size: int, pad_id: int, bigram_buckets: int, labels: int) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.vocabulary_size = vocabulary_size
        self.bigram_buckets = bigram_buckets
        self.weights = nn.Embedding(vocabulary_size + bigram_buckets, labels)
        self.intercept = Intercept(labels)
        nn.init.zeros_(self.weights.weight)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Logits ``intent`` (B, C)."""
        features, present = input_ids, attention_mask
        if self.bigram_buckets:
            pairs = (input_ids[:, :-1] * _MULTIPLIER + input_ids[:, 1:]) % self.bigram_buckets + self.vocabulary_size
            features = torch.cat([features, pairs], dim=1)
            present = torch.cat([present, attention_mask[:, 1:]], dim=1)
        rows = self.weights(features) * present.unsqueeze(-1)
        count = present.sum(dim=1, keepdim=True).clamp(min=1).to(rows.dtype)
        return {"intent": self.intercept(rows.sum(dim=1) / count.sqrt())}
