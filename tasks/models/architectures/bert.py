"""A BERT encoder by size, from random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.models.model import Architecture, TaskShape

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class Bert(Architecture):
    """BERT (Devlin et al., NAACL 2019) of a given size for intents, slots, answers in a passage and hidden tokens."""

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "mlm")
    transformer: ClassVar[bool] = True

    kind: Literal["bert"]
    layers: int = Field(default=4, ge=1, le=48, description="Transformer blocks.")
    hidden_size: int = Field(default=256, ge=8, le=8192, description="Width; a multiple of heads.")
    heads: int = Field(default=4, ge=1, le=128, description="Attention heads.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Everywhere BERT has dropout, and before the answers.")

    @model_validator(mode="after")
    def _divided(self) -> Bert:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size must be a multiple of heads (got {self.hidden_size} and {self.heads})")
        return self

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network."""
        from tasks.models._transformers import bert_network

        return bert_network(self, shape, encoder, seed)

    def open_up(self, network: nn.Module) -> None:
        """With a mask that does not depend on the values of a batch."""
        from tasks.models._transformers import EncoderNetwork

        assert isinstance(network, EncoderNetwork)
        network.whole_mask = True
