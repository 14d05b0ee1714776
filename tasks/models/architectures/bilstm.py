"""A bidirectional LSTM for intents, slots and hidden tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.models.model import Architecture, TaskShape

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class BiLstm(Architecture):
    """Embeddings, a bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves 2005), max-pooling for the intent, a tag per word, a guess at each hidden word.

    One network answers both (as Liu and Lane, Interspeech 2016, but without attention).
    """

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "mlm")

    kind: Literal["bilstm"]
    embedding_size: int = Field(default=128, ge=1, le=4096, description="Width of the word vectors.")
    hidden_size: int = Field(default=128, ge=1, le=4096, description="Width of each direction.")
    layers: int = Field(default=1, ge=1, le=8, description="LSTM layers.")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="On word vectors, between layers and before the answers.")

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network."""
        from tasks.core.seeds import torch_seeded
        from tasks.models._bilstm import BiLstmNetwork

        with torch_seeded(seed, "initialise"):
            sizes = (encoder.vocabulary_size, self.embedding_size, self.hidden_size, self.layers)
            return BiLstmNetwork(*sizes, self.dropout, encoder.pad_id, len(shape.labels), len(shape.slots), masked=shape.task == "mlm")

    def open_up(self, network: nn.Module) -> None:
        """Without the fused kernel."""
        from tasks.models._bilstm import BiLstmNetwork

        assert isinstance(network, BiLstmNetwork)
        network.fused = False
