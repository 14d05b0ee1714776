"""Transformers by size, with random weights that follow from the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tasks.core.seeds import torch_seeded
from tasks.models._heads import MaskedHead, heads_of
from tasks.models.model import TaskShape

if TYPE_CHECKING:
    from tasks.text.tokenizer import TextEncoder


class EncoderNetwork(nn.Module):
    """A transformer encoder and its answers. ``first_position`` is where its family counts positions from.

    ``whole_mask`` gives the body a mask per pair of positions, which it takes as it is: made by the body itself, the mask
    depends on the values of the batch, and no pass over many models at once can be made.
    """

    whole_mask = False

    def __init__(self, body: nn.Module, heads: nn.Module, first_position: int = 0, causal: bool = False) -> None:
        super().__init__()
        self.eraser: nn.Module | None = None
        self.body = body
        self.first_position = first_position
        self.causal = causal
        self.heads = heads

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L)."""
        return vectors_of(self.body, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, H) of the last layer. Positions are given with a batch dimension: per-example gradients need it."""
        return self._states(attention_mask, position_ids, input_ids=input_ids)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """What the heads answer."""
        answers: dict[str, Tensor] = self.heads(self.states(input_ids, attention_mask, position_ids), attention_mask)
        return answers

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """What they answer to any vectors (B, L, D)."""
        answers: dict[str, Tensor] = self.heads(self._states(attention_mask, position_ids, inputs_embeds=vectors), attention_mask)
        return answers

    def _states(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Tensor) -> Tensor:
        mask = whole_mask(attention_mask, self.causal) if self.whole_mask else attention_mask
        found: Tensor = self.body(attention_mask=mask, position_ids=position_ids + self.first_position, **tokens).last_hidden_state
        return self.eraser(found) if self.eraser is not None else found


class AnsweringNetwork(nn.Module):
    """A published model with its own answers, under one name: logits ``mlm`` (B, L, V), ``intent`` (B, C) or ``slots`` (B, L, S).

    ``whole_mask``, ``first_position``: see EncoderNetwork.
    """

    whole_mask = False

    def __init__(self, body: nn.Module, answer: str, first_position: int = 0) -> None:
        super().__init__()
        self.body = body
        self.answer = answer
        self.first_position = first_position

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L)."""
        return vectors_of(self.body, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, H) of the last layer."""
        found: Tensor = self._ask(attention_mask, position_ids, input_ids=input_ids, output_hidden_states=True).hidden_states[-1]
        return found

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Its logits."""
        return {self.answer: self._ask(attention_mask, position_ids, input_ids=input_ids).logits}

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """The same of any vectors (B, L, D)."""
        return {self.answer: self._ask(attention_mask, position_ids, inputs_embeds=vectors).logits}

    def _ask(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Any) -> Any:
        mask = whole_mask(attention_mask, causal=False) if self.whole_mask else attention_mask
        return self.body(attention_mask=mask, position_ids=position_ids + self.first_position, **tokens)


class LastTokenNetwork(nn.Module):
    """A published decoder that classifies a text by the state of its last token: logits ``intent`` (B, C).

    The library finds the last token by the id of padding, and not at all where it is given vectors; here the mask tells it.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L)."""
        return vectors_of(self.body, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, H) of the last layer."""
        return self._states(attention_mask, position_ids, input_ids=input_ids)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Its logits."""
        return self._told(attention_mask, position_ids, input_ids=input_ids)

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """The same of any vectors (B, L, D)."""
        return self._told(attention_mask, position_ids, inputs_embeds=vectors)

    def _told(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Tensor) -> dict[str, Tensor]:
        states = self._states(attention_mask, position_ids, **tokens)
        last = attention_mask.sum(dim=1) - 1
        return {"intent": self._own.score(states[torch.arange(len(states), device=last.device), last])}

    def _states(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Tensor) -> Tensor:
        found: Tensor = self._own.base_model(attention_mask=attention_mask, position_ids=position_ids, use_cache=False, **tokens).last_hidden_state
        return found

    @property
    def _own(self) -> Any:
        """The library's model, inside its adapters where it has some."""
        body: Any = self.body
        return body.get_base_model() if hasattr(body, "get_base_model") else body


class CausalNetwork(nn.Module):
    """A causal language model: logits ``lm`` (B, L, V), where position t is for the token at t + 1. ``whole_mask``: see EncoderNetwork.

    ``tell_states`` adds the last layer's states, ``states`` (B, L, H), to its answers.
    """

    whole_mask = False
    tell_states = False

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.eraser: nn.Module | None = None
        self.body = body

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L)."""
        return vectors_of(self.body, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, H) of the last layer."""
        found: Tensor = self._ask(attention_mask, position_ids, input_ids=input_ids, output_hidden_states=True).hidden_states[-1]
        return self.erased(found)

    def erased(self, states: Tensor) -> Tensor:
        """States as its answers see them."""
        return self.eraser(states) if self.eraser is not None else states

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Next-token logits."""
        return self._told(attention_mask, position_ids, input_ids=input_ids)

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """The same of any vectors (B, L, D)."""
        return self._told(attention_mask, position_ids, inputs_embeds=vectors)

    def _told(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Tensor) -> dict[str, Tensor]:
        found = self._ask(attention_mask, position_ids, output_hidden_states=self.tell_states, **tokens)
        return {"lm": found.logits, "states": self.erased(found.hidden_states[-1])} if self.tell_states else {"lm": found.logits}

    def _ask(self, attention_mask: Tensor, position_ids: Tensor, **tokens: Any) -> Any:
        mask = whole_mask(attention_mask, causal=True) if self.whole_mask else attention_mask
        return self.body(attention_mask=mask, position_ids=position_ids, use_cache=False, **tokens)


def vectors_of(body: Any, input_ids: Tensor) -> Tensor:
    """What a body makes of ids first: tokens' vectors, without positions."""
    found: Tensor = body.get_input_embeddings()(input_ids)
    return found


def whole_mask(attention_mask: Tensor, causal: bool) -> Tensor:
    """(B, 1, L, L) bool: which places see which."""
    whole = attention_mask[:, None, None, :].expand(-1, 1, attention_mask.shape[1], -1)
    if not causal:
        return whole
    return whole & torch.ones(whole.shape[-1], whole.shape[-1], dtype=torch.bool, device=whole.device).tril()


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
    masked = shape.task == "mlm"
    if masked:  # the deviation of BERT-base at its own width: narrower models begin with attention that is too even to learn from
        config.initializer_range = 0.02 * (768 / block.hidden_size) ** 0.5
    with torch_seeded(seed, "initialise"):
        body: Any = BertModel(config, add_pooling_layer=False)
        return EncoderNetwork(body, MaskedHead(body.get_input_embeddings()) if masked else heads_of(shape, block.hidden_size, block.dropout))


def gpt2_network(block: Any, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
    """GPT-2 of the block's size."""
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

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
        if shape.task != "lm":
            return EncoderNetwork(GPT2Model(config), heads_of(shape, block.hidden_size, block.dropout), causal=True)
        return CausalNetwork(GPT2LMHeadModel(config))
