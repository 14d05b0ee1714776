"""A GPT-2 decoder by size, from random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.models.model import Architecture, TaskShape, default_tokenizer
from tasks.text.tokenizer import TOKENIZERS, Tokenizer

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


class Gpt2(Architecture):
    """GPT-2 (Radford et al. 2019) of a given size for language modelling, where input and output vectors are tied, and for intents."""

    tasks: ClassVar[tuple[str, ...]] = ("lm", "intent")
    transformer: ClassVar[bool] = True
    tied_weights: ClassVar[bool] = True

    kind: Literal["gpt2"]
    layers: int = Field(default=2, ge=1, le=48, description="Transformer blocks.")
    hidden_size: int = Field(default=128, ge=8, le=8192, description="Width; a multiple of heads.")
    heads: int = Field(default=4, ge=1, le=128, description="Attention heads.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Everywhere GPT-2 has dropout.")
    tokenizer: Annotated[Tokenizer, OneOf(TOKENIZERS)] = Field(default_factory=lambda: default_tokenizer("bytes"), description="How text becomes ids.")

    @model_validator(mode="after")
    def _divided(self) -> Gpt2:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size must be a multiple of heads (got {self.hidden_size} and {self.heads})")
        return self

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network."""
        from tasks.models._transformers import gpt2_network

        return gpt2_network(self, shape, encoder, seed)

    def open_up(self, network: nn.Module) -> None:
        """With a mask that does not depend on the values of a batch."""
        from tasks.models._transformers import CausalNetwork, EncoderNetwork

        assert isinstance(network, CausalNetwork | EncoderNetwork)
        network.whole_mask = True
