"""What a transformer encoder answers with: one label from all tokens, one tag per token, where an answer begins and ends, or the token that is hidden."""

from __future__ import annotations

from torch import Tensor, nn

from tasks.models.model import TaskShape


class Heads(nn.Module):
    """Logits ``intent`` (B, C) and ``slots`` (B, L, S) of hidden states (B, L, H), each where it has labels, and ``span`` (B, L, 2) where it ``finds``.

    A bias would shift the scores of all places alike and change no answer.
    """

    def __init__(self, hidden_size: int, labels: int, slots: int, dropout: float, finds: bool = False) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.intent = nn.Linear(hidden_size, labels) if labels else None
        self.slots = nn.Linear(hidden_size, slots) if slots else None
        self.span = nn.Linear(hidden_size, 2, bias=False) if finds else None

    def forward(self, states: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """The mean over tokens stands for the text: it needs no special first token, whatever the tokenizer."""
        logits = {}
        if self.intent is not None:
            present = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
            logits["intent"] = self.intent(self.dropout(mean))
        if self.slots is not None:
            logits["slots"] = self.slots(self.dropout(states))
        if self.span is not None:
            logits["span"] = self.span(self.dropout(states))
        return logits


class MaskedHead(nn.Module):
    """Logits ``mlm`` (B, L, V) of hidden states, against the input vectors of all tokens (Devlin et al., NAACL 2019)."""

    def __init__(self, vectors: nn.Embedding) -> None:
        super().__init__()
        size = vectors.embedding_dim
        self.transform = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size))
        self.decoder = nn.Linear(size, vectors.num_embeddings)
        self.decoder.weight = vectors.weight

    def forward(self, states: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Every place answers; which count, the loss knows."""
        return {"mlm": self.decoder(self.transform(states))}


def heads_of(shape: TaskShape, hidden_size: int, dropout: float) -> Heads:
    """The heads of a task's labels and tags, or of answers in a passage."""
    return Heads(hidden_size, len(shape.labels), len(shape.slots), dropout, shape.task == "qa")
