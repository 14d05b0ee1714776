"""Continuations of many prompts at once, with a cache of what was read, prompts of equal length together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tasks.core.seeds import torch_seeded
from tasks.models.amending import doubt_of, doubting
from tasks.models.decoding import Decoding
from tasks.text.tokenizer import TextEncoder

TOKENS = 16_384
"""Of a batch, continuations included."""


@dataclass(frozen=True)
class Continued:
    """What a model made of a prompt.

    Args:
        texts: its continuations, without the prompt; None for a prompt that leaves no room for one.
    """

    texts: tuple[str, ...] | None


def continuations(
    network: Any,
    encoder: TextEncoder,
    prompts: Sequence[str],
    decoding: Decoding,
    samples: int,
    seed: int,
    device: str,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> list[Continued]:
    """``samples`` continuations of each prompt, drawn anew for each; the same arguments draw the same.

    Args:
        network: a causal language model, in evaluation mode on the device: its ``body`` is one of transformers.
        encoder: its tokenizer. Blanks at a prompt's end are left to the continuation.
        prompts: texts.
        decoding: how.
        samples: how many of each.
        seed: decides the draws.
        device: where the network is.
        progress: told how many prompts are done.
    """
    rows = [[*encoder.head, *encoder.pieces(prompt.rstrip())[0]] for prompt in prompts]
    doubt = doubt_of(network)
    room = encoder.max_tokens - decoding.max_new_tokens - (len(encoder.pieces(doubt.prefix)[0]) if doubt else 0)
    order = sorted((place for place, ids in enumerate(rows) if 0 < len(ids) <= room), key=lambda place: len(rows[place]))
    found: list[Continued] = [Continued(None)] * len(rows)
    done, group = 0, 0
    while done < len(order):
        chosen = _alike(order, rows, done, samples * (len(rows[order[done]]) + decoding.max_new_tokens))
        ids = torch.tensor([rows[place] for place in chosen], device=device)
        with torch_seeded(seed, "generate", group, device=device):
            drawn = _generated(network, ids, encoder, decoding, samples)
        texts = [encoder.decode([index for index in row if index not in encoder.mark_ids]) for row in drawn]
        for number, place in enumerate(chosen):
            found[place] = Continued(tuple(texts[number * samples : (number + 1) * samples]))
        done, group = done + len(chosen), group + 1
        progress(done, len(order))
    return found


def _alike(order: Sequence[int], rows: Sequence[Sequence[int]], start: int, tokens: int) -> list[int]:
    """Prompts from a place on of one length, as many as a batch holds."""
    most, length = max(1, TOKENS // tokens), len(rows[order[start]])
    return [place for place in order[start : start + most] if len(rows[place]) == length]


@torch.no_grad()
def _generated(network: Any, ids: torch.Tensor, encoder: TextEncoder, decoding: Decoding, samples: int) -> list[list[int]]:
    from transformers import LogitsProcessorList
    from transformers.utils import logging

    from tasks.models.nucleus import Drawable

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it warns of padding where a model says its end, which is padding's id, itself
    doubt = doubt_of(network)
    end = encoder.tail[0] if encoder.tail else encoder.pad_id
    processors = [*([doubting(network, encoder, doubt)] if doubt is not None else []), *([] if decoding.greedy else [Drawable(decoding)])]
    drawn = {} if decoding.greedy else {"top_p": 1.0, "top_k": 0, "temperature": 1.0}  # done by ours
    found = network.body.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=not decoding.greedy,
        num_return_sequences=samples if not decoding.greedy else 1,
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=encoder.pad_id,
        eos_token_id=end,
        use_cache=True,
        logits_processor=LogitsProcessorList(processors),
        **drawn,
    )[:, ids.shape[1] :]
    if decoding.greedy and samples > 1:
        found = found.repeat_interleave(samples, dim=0)
    return [_until(row, end) for row in found.tolist()]


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
