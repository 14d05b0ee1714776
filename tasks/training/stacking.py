"""Many models of one shape at once: their weights stand in one tensor per name, and one pass computes the gradients of all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad

from tasks.models.batches import Encoded, network_inputs
from tasks.models.losses import per_example_loss
from tasks.models.masking import IGNORED
from tasks.training.functional_autocast import FunctionalAutocast

Stack = dict[str, Tensor]
"""Tensors by name whose first dimension is the model's: weights, gradients, what a batch holds."""


class StackedGradient:
    """Gradients of A models that share a network. It must compute by operations that have a batching rule (see Architecture.open_up): the caller opened
    it up. Dropout masks differ between models.

    Args:
        network: computes with the weights that it is given; its own are not changed.
        precision: ``fp32`` or ``bf16``.
    """

    def __init__(self, network: nn.Module, precision: str = "fp32") -> None:
        self._network, self._precision = network, precision
        self._gradients = vmap(grad_and_value(self._loss, has_aux=True), in_dims=(0, 0, 0), randomness="different")

    def __call__(self, weights: Stack, batch: Stack, counts: Tensor) -> tuple[Stack, Tensor]:
        """The gradient of each model's mean loss over the first ``counts`` (A,) of its examples, and (A, 2) sums of their losses and of the squares."""
        with sdpa_kernel(SDPBackend.MATH):
            gradients, (_, sums) = self._gradients(weights, batch, counts)
        return gradients, sums.detach()

    def _loss(self, weights: Stack, batch: Stack, count: Tensor) -> tuple[Tensor, Tensor]:
        """One model's mean loss over its real examples, and the sums of losses and of their squares."""
        with FunctionalAutocast() if self._precision == "bf16" else nullcontext():
            logits = functional_call(self._network, weights, (), network_inputs(batch))
        losses = per_example_loss(logits, batch)
        losses = losses * (torch.arange(len(losses), device=losses.device) < count)
        return losses.sum() / count.clamp(min=1), torch.stack([losses.sum(), losses.square().sum()])


def padded(encoded: Encoded, rows: Sequence[Tensor], device: str, draw: int = 0) -> tuple[Stack, Tensor]:
    """A batch (A, B, L) of ragged ones, and their sizes (A,): missing examples repeat a model's first, and count for nothing."""
    most = max(len(row) for row in rows)
    filled = [torch.cat([row, row[:1].expand(most - len(row))]) for row in rows]
    flat = encoded.batch(torch.cat(filled), device, draw)
    batch = {name: tensor.reshape(len(rows), most, *tensor.shape[1:]) for name, tensor in flat.items()}
    return batch, torch.tensor([len(row) for row in rows], device=device)


def joined(sets: Sequence[Encoded]) -> tuple[Encoded, tuple[int, ...]]:
    """The examples of several models in one table, one model after another, and where each begins. Hidden tokens are those that each has alone."""
    longest = max(one.ids.shape[1] for one in sets)
    first, sizes = sets[0], [len(one) for one in sets]
    found = replace(
        first,
        ids=torch.cat([_wide(one.ids, longest, one.pad_id) for one in sets]),
        lengths=torch.cat([one.lengths for one in sets]),
        records=torch.cat([one.records for one in sets]),
        labels=None if first.labels is None else torch.cat([one.labels for one in sets if one.labels is not None]),
        slots=None if first.slots is None else torch.cat([_wide(one.slots, longest, IGNORED) for one in sets if one.slots is not None]),
        words=None,
        starts=None if first.starts is None else torch.cat([one.starts for one in sets if one.starts is not None]),
        ends=None if first.ends is None else torch.cat([one.ends for one in sets if one.ends is not None]),
        spans=None if first.spans is None else torch.cat([_wide(one.spans.mT, longest, -1).mT for one in sets if one.spans is not None]),
        written=None if first.written is None else _written([one.written for one in sets if one.written is not None]),
        numbers=torch.cat([torch.arange(size) for size in sizes]),
    )
    return found, tuple(accumulate(sizes[:-1], initial=0))


def _written(tables: Sequence[Tensor]) -> Tensor:
    longest = max(table.shape[1] for table in tables)
    return torch.cat([_wide(table, longest, IGNORED) for table in tables])


def _wide(table: Tensor, width: int, value: int) -> Tensor:
    """Filled up to a width."""
    return pad(table, (0, width - table.shape[-1]), value=value)
