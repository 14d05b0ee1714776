"""The BiLSTM's network: linear maps that any engine of per-example gradients can read, and torch's fused kernel on the same weights.

Where no per-example gradient is needed the fused kernel is several times faster. A test holds the two equal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.models._characters import CharacterVectors
from tasks.models._lstm import BiLstmLayer, packed, padded


class BiLstmNetwork(nn.Module):
    """Logits ``intent`` (B, C) and ``slots`` (B, L, S), each where it has labels, ``mlm`` (B, L, V) where ``masked`` and ``span`` (B, L, 2)
    where it ``finds`` an answer.

    ``characters`` adds what a token is spelled with to its vector. ``fused`` chooses the kernel, not the result.
    """

    fused = True

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        layers: int,
        dropout: float,
        pad_id: int,
        labels: int,
        slots: int,
        masked: bool = False,
        characters: CharacterVectors | None = None,
        finds: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=pad_id)
        self.characters = characters
        width = embedding + (characters.filters.out_features if characters is not None else 0)
        self.layers = nn.ModuleList(BiLstmLayer(2 * hidden if layer else width, hidden) for layer in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.intent = nn.Linear(2 * hidden, labels) if labels else None
        self.slots = nn.Linear(2 * hidden, slots) if slots else None
        self.mlm = nn.Linear(2 * hidden, vocabulary) if masked else None
        self.span = nn.Linear(2 * hidden, 2, bias=False) if finds else None
        nn.init.normal_(self.embedding.weight, std=0.5)
        with torch.no_grad():
            self.embedding.weight[pad_id].zero_()

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) the word vectors of ids (B, L), their characters counted in, before any dropout."""
        words: Tensor = self.embedding(input_ids)
        return words if self.characters is None else self.characters(words, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, 2H) of the last layer."""
        return self._states(self.vectors(input_ids), attention_mask)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Padding stands at the end of each row and changes nothing."""
        return self.answers(self.vectors(input_ids), attention_mask, position_ids)

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """What it says of any word vectors (B, L, D)."""
        states = self._states(vectors, attention_mask)
        logits = {}
        if self.intent is not None:
            hidden = states.masked_fill(~attention_mask.unsqueeze(-1), torch.finfo(states.dtype).min)
            logits["intent"] = self.intent(self.dropout(hidden.amax(dim=1)))
        if self.slots is not None:
            logits["slots"] = self.slots(self.dropout(states))
        if self.mlm is not None:
            logits["mlm"] = self.mlm(self.dropout(states))
        if self.span is not None:
            logits["span"] = self.span(self.dropout(states))
        return logits

    def _states(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        states: Tensor = self.dropout(vectors)
        for index, layer in enumerate(self.layers):
            states = self.dropout(states) if index else states
            states = padded(layer.fused(packed(states, attention_mask)), states.shape[1]) if self.fused else layer(states, attention_mask)  # type: ignore[operator]
        return states
