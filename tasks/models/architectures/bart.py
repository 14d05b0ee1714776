"""A BART encoder-decoder by size, from random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.models.model import Architecture, TaskShape, default_tokenizer
from tasks.text.tokenizer import TOKENIZERS, Tokenizer

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class Bart(Architecture):
    """BART (Lewis et al., ACL 2020) of a given size: writes a target for a text. Input and output vectors are tied."""

    tasks: ClassVar[tuple[str, ...]] = ("seq2seq",)
    transformer: ClassVar[bool] = True
    tied_weights: ClassVar[bool] = True

    kind: Literal["bart"]
    layers: int = Field(default=2, ge=1, le=48, description="Transformer blocks of the encoder, and as many of the decoder.")
    hidden_size: int = Field(default=128, ge=8, le=8192, description="Width; a multiple of heads.")
    heads: int = Field(default=4, ge=1, le=128, description="Attention heads.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Everywhere BART has dropout.")
    tokenizer: Annotated[Tokenizer, OneOf(TOKENIZERS)] = Field(default_factory=lambda: default_tokenizer("bytes"), description="How text becomes ids.")

    @model_validator(mode="after")
    def _divided(self) -> Bart:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size must be a multiple of heads (got {self.hidden_size} and {self.heads})")
        return self

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network."""
        from tasks.models._seq2seq import bart_network

        return bart_network(self, shape, encoder, seed)

    def open_up(self, network: nn.Module) -> None:
        """With masks that do not depend on the values of a batch."""
        from tasks.models._seq2seq import Seq2SeqNetwork

        assert isinstance(network, Seq2SeqNetwork)
        network.whole_mask = True
