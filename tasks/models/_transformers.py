"""Transformers by size, with random weights that follow from the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tasks.core.seeds import torch_seeded
from tasks.models._heads import Heads
from tasks.models.model import TaskShape

if TYPE_CHECKING:
    from tasks.text.tokenizer import TextEncoder


class EncoderNetwork(nn.Module):
    """A transformer encoder and its answers. ``first_position`` is where its family counts positions from.

    ``whole_mask`` gives the body a mask per pair of positions, which it takes as it is: made by the body itself, the mask
    depends on the values of the batch, and no pass over many models at once can be made.
    """

    whole_mask = False

    def __init__(self, body: nn.Module, hidden_size: int, shape: TaskShape, dropout: float, first_position: int = 0) -> None:
        super().__init__()
        self.body = body
        self.first_position = first_position
        self.heads = Heads(hidden_size, len(shape.labels), len(shape.slots), dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Positions are given with a batch dimension: per-example gradients need it."""
        places = position_ids + self.first_position
        mask = attention_mask[:, None, None, :].expand(-1, 1, attention_mask.shape[1], -1) if self.whole_mask else attention_mask
        states = self.body(input_ids=input_ids, attention_mask=mask, position_ids=places).last_hidden_state
        answers: dict[str, Tensor] = self.heads(states, attention_mask)
        return answers


class CausalNetwork(nn.Module):
    """A causal language model: logits ``lm`` (B, L, V), where position t is for the token at t + 1. ``whole_mask``: see EncoderNetwork."""

    whole_mask = False

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Next-token logits."""
        mask = attention_mask
        if self.whole_mask:
            before = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool, device=mask.device).tril()
            mask = before & attention_mask[:, None, None, :]
        found = self.body(input_ids=input_ids, attention_mask=mask, position_ids=position_ids, use_cache=False)
        return {"lm": found.logits}


def bert_network(block: Any, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
    """BERT of the block's size."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=encoder.vocabulary_size,
        hidden_size=block.hidden_size,
        num_hidden_layers=block.layers,
        num_attention_heads=block.heads,
        intermediate_size=4 * block.hidden_size,
        max_position_embeddings=encoder.max_tokens,
        hidden_dropout_prob=block.dropout,
        attention_probs_dropout_prob=block.dropout,
        pad_token_id=encoder.pad_id,
    )
    with torch_seeded(seed, "initialise"):
        return EncoderNetwork(BertModel(config, add_pooling_layer=False), block.hidden_size, shape, block.dropout)


def gpt2_network(block: Any, encoder: TextEncoder, seed: int) -> nn.Module:
    """GPT-2 of the block's size."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=encoder.vocabulary_size,
        n_embd=block.hidden_size,
        n_layer=block.layers,
        n_head=block.heads,
        n_positions=encoder.max_tokens,
        resid_pdrop=block.dropout,
        embd_pdrop=block.dropout,
        attn_pdrop=block.dropout,
        pad_token_id=encoder.pad_id,
        bos_token_id=encoder.pad_id,
        eos_token_id=encoder.pad_id,
    )
    with torch_seeded(seed, "initialise"):
        return CausalNetwork(GPT2LMHeadModel(config))
