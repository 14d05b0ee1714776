"""Losses per example: everything else (means, clipped sums, attacks' scores) is made of these."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from tasks.models.batches import network_inputs
from tasks.models.masking import IGNORED

ExampleLoss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
"""From a network's logits and a batch to (B,) float32."""


def example_losses(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """(B,) float32: what the network loses on each example of a batch."""
    return per_example_loss(network(**network_inputs(batch)), batch)


def per_example_loss(logits: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
    """(B,) float32, or float64 of float64 logits: cross-entropy of the intent, plus the mean over words of that of their tags, or the mean over a text's
    tokens, or over its hidden ones, or over those of its target, or the mean of those of an answer's first and last token.
    """
    if "lm" in logits:
        nats, count = next_token_nats(logits["lm"], batch)
        return nats / count.clamp(min=1)
    if "mlm" in logits:
        nats, count = target_nats(logits["mlm"], batch["targets"])
        return nats / count.clamp(min=1)
    if "seq2seq" in logits:
        nats, count = target_nats(logits["seq2seq"], batch["target_ids"])
        return nats / count.clamp(min=1)
    if "span" in logits:
        return span_loss(logits["span"], batch)
    loss = None
    if "intent" in logits:
        loss = cross_entropy(_at_least_single(logits["intent"]), batch["labels"], reduction="none")
    if "slots" in logits:
        tags = slot_loss(logits["slots"], batch["slots"])
        loss = tags if loss is None else loss + tags
    if loss is None:
        raise ValueError("the network gave no logits that a loss knows")
    return loss


def slot_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """(B,) mean cross-entropy over the words of each example; 0 without words."""
    count = (tags != IGNORED).sum(dim=1).clamp(min=1)
    return place_nats(logits, tags).sum(dim=1) / count


def span_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """(B,) the mean of -log p of the first and of the last token of the answer, of logits (B, L, 2) among the tokens that may be an answer's."""
    return cross_entropy(choosable(logits, batch), torch.stack([batch["starts"], batch["ends"]], dim=1), reduction="none").mean(dim=1)


def choosable(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """(B, L, 2) logits as low as can be where no answer begins or ends: outside the passage, but for the first token, which stands for no answer."""
    scores = _at_least_single(logits)
    return scores.masked_fill(~batch["choices"].unsqueeze(-1), torch.finfo(scores.dtype).min)


def target_nats(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of -log p of each text's hidden tokens, or those of what is to be written, (B,), and how many there are, (B,).

    ``targets`` (B, L) are -100 where there is none.
    """
    return place_nats(logits, targets).sum(dim=1), (targets != IGNORED).sum(dim=1)


def next_token_nats(logits: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Sum of -log p of each text's tokens after the first, (B,), and how many there are, (B,)."""
    following = following_tokens(batch)
    return place_nats(logits, following).sum(dim=1), (following != IGNORED).sum(dim=1)


def following_tokens(batch: dict[str, Tensor]) -> Tensor:
    """(B, L) the token after each place; -100 where there is none, as after the last: cheaper than a copy of the logits without it."""
    found = batch["input_ids"][:, 1:].masked_fill(~batch["attention_mask"][:, 1:], IGNORED)
    return pad(found, (0, 1), value=IGNORED)


def place_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, L) -log p of the targets (B, L) under logits (B, L, V); 0 where there is none.

    Places stand in one row: with the classes before the places, as torch takes two dimensions of them, the same takes twice as long.
    """
    return cross_entropy(_at_least_single(logits).flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORED).view_as(targets)


def _at_least_single(logits: Tensor) -> Tensor:
    """Logits in float32, or as they are in float64."""
    return logits if logits.dtype == torch.float64 else logits.float()
