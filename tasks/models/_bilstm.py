"""The BiLSTM's network: a recurrence of our own, and torch's fused kernel on the same weights.

Per-example gradients need operations that torch.func can batch, which the fused kernel is not; where none are needed the
fused kernel is several times faster. A test holds the two equal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLstmNetwork(nn.Module):
    """Logits ``intent`` (B, C) and ``slots`` (B, L, S), each where it has labels. ``fused`` chooses the kernel, not the result."""

    fused = True

    def __init__(self, vocabulary: int, embedding: int, hidden: int, layers: int, dropout: float, pad_id: int, labels: int, slots: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=pad_id)
        self.lstm = nn.LSTM(embedding, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.intent = nn.Linear(2 * hidden, labels) if labels else None
        self.slots = nn.Linear(2 * hidden, slots) if slots else None
        nn.init.normal_(self.embedding.weight, std=0.5)
        with torch.no_grad():
            self.embedding.weight[pad_id].zero_()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Padding stands at the end of each row and changes nothing."""
        vectors = self.dropout(self.embedding(input_ids))
        states = self._fused(vectors, attention_mask) if self.fused else self._recurrence(vectors, attention_mask)
        logits = {}
        if self.intent is not None:
            hidden = states.masked_fill(~attention_mask.unsqueeze(-1), torch.finfo(states.dtype).min)
            logits["intent"] = self.intent(self.dropout(hidden.amax(dim=1)))
        if self.slots is not None:
            logits["slots"] = self.slots(self.dropout(states))
        return logits

    def _fused(self, vectors: Tensor, mask: Tensor) -> Tensor:
        packed = pack_padded_sequence(vectors, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=vectors.shape[1])
        return states

    def _recurrence(self, vectors: Tensor, mask: Tensor) -> Tensor:
        states = vectors
        for layer in range(self.lstm.num_layers):
            if layer:
                states = nn.functional.dropout(states, self.lstm.dropout, self.training)
            forward = self._direction(states, mask, f"l{layer}", range(states.shape[1]))
            backward = self._direction(states, mask, f"l{layer}_reverse", range(states.shape[1] - 1, -1, -1))
            states = torch.cat([forward, backward], dim=-1)
        return states

    def _direction(self, inputs: Tensor, mask: Tensor, name: str, order: range) -> Tensor:
        """One direction of one layer, (B, L, hidden). A padded position keeps the state and gives zero, as a packed sequence does."""
        recurrent = getattr(self.lstm, f"weight_hh_{name}")
        bias = getattr(self.lstm, f"bias_ih_{name}") + getattr(self.lstm, f"bias_hh_{name}")
        gates_in = nn.functional.linear(inputs, getattr(self.lstm, f"weight_ih_{name}"), bias)
        hidden = inputs.new_zeros(inputs.shape[0], self.lstm.hidden_size)
        cell = torch.zeros_like(hidden)
        outputs: list[Tensor] = [hidden] * inputs.shape[1]
        for time in order:
            gates = gates_in[:, time] + nn.functional.linear(hidden, recurrent)
            enter, forget, candidate, leave = gates.chunk(4, dim=-1)
            fresh_cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
            fresh = leave.sigmoid() * fresh_cell.tanh()
            here = mask[:, time].unsqueeze(-1)
            hidden, cell = torch.where(here, fresh, hidden), torch.where(here, fresh_cell, cell)
            outputs[time] = fresh * here
        return torch.stack(outputs, dim=1)
