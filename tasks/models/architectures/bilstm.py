"""A bidirectional LSTM for intents, slots, answers in a passage and hidden tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.models.model import Architecture, TaskShape

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class Characters(BaseModel):
    """Convolutions over the characters of each token, the largest answer of each beside the token's own vector (Ma and Hovy, ACL 2016; Chiu and Nichols,
    TACL 2016). The tokens must be spelled words or parts of words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=16, ge=1, le=1024, description="Width of a character's vector.")
    filters: int = Field(default=32, ge=1, le=4096, description="Convolutions; so many numbers are added to each word vector.")
    width: int = Field(default=3, ge=1, le=16, description="Characters that a convolution sees at once.")
    longest: int = Field(default=20, ge=1, le=256, description="Characters (UTF-8 bytes) of a token that are read; the rest is cut.")


class BiLstm(Architecture):
    """Embeddings, a bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves 2005), max-pooling for the intent, and for words a tag or a guess.

    One network answers both (as Liu and Lane, Interspeech 2016, but without attention).
    """

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "mlm")

    kind: Literal["bilstm"]
    embedding_size: int = Field(default=128, ge=1, le=4096, description="Width of the word vectors.")
    hidden_size: int = Field(default=128, ge=1, le=4096, description="Width of each direction.")
    layers: int = Field(default=1, ge=1, le=8, description="LSTM layers.")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="On word vectors, between layers and before the answers.")
    characters: Characters | None = Field(default=None, description="What a token's own characters add to its vector; nothing without it.")

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network."""
        from tasks.core.seeds import torch_seeded
        from tasks.models._bilstm import BiLstmNetwork
        from tasks.models._characters import CharacterVectors

        with torch_seeded(seed, "initialise"):
            sizes = (encoder.vocabulary_size, self.embedding_size, self.hidden_size, self.layers)
            answers = (len(shape.labels), len(shape.slots), shape.task == "mlm")
            spelled = CharacterVectors(encoder.spellings(), **self.characters.model_dump()) if self.characters is not None else None
            return BiLstmNetwork(*sizes, self.dropout, encoder.pad_id, *answers, spelled, shape.task == "qa")

    def open_up(self, network: nn.Module) -> None:
        """Without the fused kernel."""
        from tasks.models._bilstm import BiLstmNetwork

        assert isinstance(network, BiLstmNetwork)
        network.fused = False
