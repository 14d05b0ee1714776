"""The gradient of a private step: clipped contributions summed in fp32, noise once on the sum, divided by a public number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.core.seeds import torch_generator, torch_seeded
from tasks.models.batches import Encoded
from tasks.privacy.engine import Clipper
from tasks.training.gradients import autocast

HELD_BYTES = 256 * 2**20
"""The most that per-example gradients may take of the memory where the physical batch is left to us."""


@dataclass
class PrivateGradient:
    """Sets ``.grad`` of every trained weight to (sum of clipped gradients + noise) / divisor; an empty batch is noise alone.

    Args:
        encoded: the training examples.
        clipper: the engine attached to the network.
        deviation: standard deviation of the noise by step, on the sum.
        divisor: the public divisor.
        key: decides noise and dropout, by step; the noise of a weight depends on (key, step, its name) alone.
        physical_batch_size: the most examples on the device at once.
        tell_loss: whether the mean loss of the batch, which is private, may be told.
    """

    encoded: Encoded
    clipper: Clipper
    deviations: tuple[float, ...]
    divisor: int
    key: int
    physical_batch_size: int
    device: str
    precision: str
    tell_loss: bool

    def __call__(self, network: nn.Module, indices: Tensor, step: int) -> Tensor | None:
        """Clip, sum, add noise, divide. Returns the mean loss, or None where it is not told or the batch is empty."""
        sums = self.clipper.zeros()
        losses = [self._add(chosen, sums, step, piece) for piece, chosen in enumerate(self._pieces(indices))]
        for name, parameter in self.clipper.trained.items():
            parameter.grad = sums[name].add_(self.noise(name, parameter, step)).div_(self.divisor).to(parameter.dtype)
        return torch.cat(losses).mean() if losses and self.tell_loss else None

    def noise(self, name: str, parameter: Tensor, step: int) -> Tensor:
        """Gaussian, fp32, of the step's deviation."""
        generator = torch_generator(self.key, "noise", step, name, self.device)
        return torch.randn(parameter.shape, generator=generator, device=self.device, dtype=torch.float32).mul_(self.deviations[step])

    def _add(self, chosen: Tensor, sums: dict[str, Tensor], step: int, piece: int) -> Tensor:
        batch = self.encoded.batch(chosen, self.device, step)
        with torch_seeded(self.key, "forward", step, piece, self.device), autocast(self.device, self.precision):
            return self.clipper.add(batch, sums).losses

    def _pieces(self, indices: Tensor) -> tuple[Tensor, ...]:
        """Examples of like length together: less padding, the same sum."""
        if not len(indices):
            return ()
        return torch.split(indices[torch.argsort(self.encoded.lengths[indices], stable=True)], self.physical_batch_size)


def physical_batch(wanted: int | None, trained_weights: int, copies: bool) -> int:
    """The most examples at once: as asked for, else 256, or as many gradients as fit into 256 MiB where one is held for each."""
    if wanted is not None:
        return wanted
    return max(1, min(256, HELD_BYTES // (4 * trained_weights))) if copies else 256
