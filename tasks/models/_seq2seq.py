"""Encoder-decoders: what is to be written follows from a text and from what was written so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.models.bart.modeling_bart import BartLearnedPositionalEmbedding, BartScaledWordEmbedding

from tasks.core.seeds import torch_seeded
from tasks.models._transformers import vectors_of, whole_mask
from tasks.models.masking import IGNORED
from tasks.models.model import TaskShape

if TYPE_CHECKING:
    from tasks.text.tokenizer import TextEncoder


class Seq2SeqNetwork(nn.Module):
    """An encoder-decoder of the library: logits ``seq2seq`` (B, T, V), where place t is for the target's token t, given those before it.

    Without a target the text itself is to be written, as in the training of BART (Lewis et al., ACL 2020). ``whole_mask``: see EncoderNetwork.
    """

    whole_mask = False

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        plain(body)
        self.body = body

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L)."""
        return vectors_of(self.body, input_ids)

    def states(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """(B, L, H) of the encoder's last layer."""
        body: Any = self.body
        mask = whole_mask(attention_mask, causal=False) if self.whole_mask else attention_mask
        found: Tensor = body.get_encoder()(input_ids=input_ids, attention_mask=mask).last_hidden_state
        return found

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, target_ids: Tensor | None = None) -> dict[str, Tensor]:
        """Of ``target_ids`` (B, T), which are -100 beyond the end; what is there changes nothing before it."""
        from transformers.modeling_outputs import BaseModelOutput

        body: Any = self.body
        written = input_ids.masked_fill(~attention_mask, IGNORED) if target_ids is None else target_ids
        before = torch.nn.functional.pad(written[:, :-1], (1, 0), value=body.config.decoder_start_token_id)
        before = before.masked_fill(before == IGNORED, body.config.pad_token_id)
        states = self.states(input_ids, attention_mask, position_ids)
        own, other = None, attention_mask
        if self.whole_mask:
            own = whole_mask(torch.ones_like(before, dtype=torch.bool), causal=True)
            other = attention_mask[:, None, None, :].expand(-1, 1, before.shape[1], -1)
        asked = {"decoder_input_ids": before, "decoder_attention_mask": own, "attention_mask": other, "use_cache": False}
        return {"seq2seq": body(encoder_outputs=BaseModelOutput(last_hidden_state=states), **asked).logits}


class PlacesOf:
    """Before an embedding of positions: BART's own asks it about one row for all examples, or with values whose shape alone counts; engines of per-example
    gradients see which rows each example takes only where they are asked for, example by example."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def __call__(self, layer: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> tuple[tuple[Tensor], dict[str, Any]]:
        """Positions (B, L) for values (B, L)."""
        rows, longest = args[0].shape[:2]
        return (torch.arange(self.offset, self.offset + longest, device=args[0].device).expand(rows, longest),), {}


def plain(body: nn.Module) -> None:
    """Put torch's embeddings in the place of the library's own, with the same weights under the same names: every engine of per-example gradients reads them.

    Word vectors that are scaled stay as they are.
    """
    made: dict[int, nn.Embedding] = {}
    for parent in list(body.modules()):
        for name, child in parent.named_children():
            if isinstance(child, BartLearnedPositionalEmbedding):
                places = _like(child)
                places.register_forward_pre_hook(PlacesOf(child.offset), with_kwargs=True)
                setattr(parent, name, places)
            elif isinstance(child, BartScaledWordEmbedding) and child.embed_scale == 1.0:
                setattr(parent, name, made.setdefault(id(child), _like(child)))


def _like(layer: nn.Embedding) -> nn.Embedding:
    """An embedding that holds the very weight of another."""
    found = nn.Embedding(layer.num_embeddings, layer.embedding_dim, layer.padding_idx, _weight=layer.weight.detach())
    found.weight = layer.weight
    return found


def bart_network(block: Any, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
    """BART of the block's size."""
    from transformers import BartConfig, BartForConditionalGeneration

    last = encoder.encode(["a"])[0][-1]
    sizes: dict[str, Any] = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in _of_a_side(block).items()}
    config = BartConfig(
        vocab_size=encoder.vocabulary_size,
        d_model=block.hidden_size,
        max_position_embeddings=encoder.max_tokens,
        dropout=block.dropout,
        attention_dropout=block.dropout,
        init_std=0.02 * (768 / block.hidden_size) ** 0.5,  # the deviation of BART-base at its own width: see bert_network
        pad_token_id=encoder.pad_id,
        bos_token_id=encoder.head[0] if encoder.head else encoder.pad_id,
        eos_token_id=last if last in encoder.mark_ids else encoder.pad_id,
        decoder_start_token_id=encoder.head[0] if encoder.head else encoder.pad_id,
        forced_eos_token_id=None,
        **sizes,
    )
    with torch_seeded(seed, "initialise"):
        return Seq2SeqNetwork(BartForConditionalGeneration(config))


def _of_a_side(block: Any) -> dict[str, int]:
    return {"layers": block.layers, "attention_heads": block.heads, "ffn_dim": 4 * block.hidden_size}
