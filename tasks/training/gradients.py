"""The gradient of a step: the mean over the batch, in pieces where the batch does not fit the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from tasks.core.seeds import torch_seeded
from tasks.models.batches import Encoded, network_inputs
from tasks.models.losses import per_example_loss


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """bf16 autocast, or nothing."""
    if precision == "bf16":
        return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
    return nullcontext()


class MeanGradient:
    """Sets ``.grad`` of every trained parameter to the gradient of the mean loss of a batch.

    Args:
        encoded: the training examples.
        device: where the network is.
        precision: ``fp32`` or ``bf16``.
        seed: decides dropout, by step and piece.
        physical_batch_size: the most examples on the device at once; None for no bound.
    """

    def __init__(self, encoded: Encoded, device: str, precision: str, seed: int, physical_batch_size: int | None) -> None:
        self._encoded, self._device, self._precision, self._seed = encoded, device, precision, seed
        self._piece = physical_batch_size

    def __call__(self, network: nn.Module, indices: Tensor, step: int) -> Tensor:
        """Accumulate the gradient; returns the mean loss, a scalar on the device."""
        total = torch.zeros((), device=self._device)
        for piece, chosen in enumerate(self._pieces(indices)):
            batch = self._encoded.batch(chosen, self._device, step)
            with torch_seeded(self._seed, "forward", step, piece, self._device), autocast(self._device, self._precision):
                logits = network(**network_inputs(batch))
            loss = (self._encoded.loss or per_example_loss)(logits, batch).sum() / len(indices)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _pieces(self, indices: Tensor) -> Iterator[Tensor]:
        yield from torch.split(indices, self._piece or len(indices))
