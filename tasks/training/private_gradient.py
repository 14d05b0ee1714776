"""The gradient of a private step: clipped contributions summed in fp32, noise once on the sum, divided by a public number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from tasks.core.seeds import numpy_generator, torch_seeded
from tasks.models.batches import Encoded
from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.privacy.engine import Clipper, Piece, Shares
from tasks.privacy.sharing import Sharing
from tasks.training import ranks
from tasks.training.gradients import autocast
from tasks.training.noising import NoiseSource

HELD_BYTES = 256 * 2**20
"""The most that per-example gradients may take of the memory where the physical batch is left to us."""


@dataclass
class PrivateGradient:
    """Sets ``.grad`` of every trained weight to (sum of clipped gradients + noise) / divisor; an empty batch is noise alone. The next step writes over it.

    The processes of a training share the pieces of a batch, and the first one alone begins its sums with the noise: it is there once, so that what is
    released, and with it the account, is that of one process.

    Args:
        encoded: the training examples.
        clipper: the engine attached to the network.
        multipliers: by step, of the noise: its standard deviation on the sum over the clip rule's sensitivity, what the rule releases beside it included.
        divisor: the public divisor, the number of contributions that a step is expected to have.
        key: decides noise and dropout, by step; the noise of a weight depends on (key, step, its name) alone.
        physical_batch_size: the most examples on the device at once.
        tell_loss: whether the mean loss of the batch, which is private, may be told.
        sharing: which examples are clipped as one; None: each by itself.
        correlation: coefficients of the noise's factorization; (1,): independent from step to step.
    """

    encoded: Encoded
    clipper: Clipper
    multipliers: tuple[float, ...]
    divisor: int
    key: int
    physical_batch_size: int
    device: str
    precision: str
    tell_loss: bool
    sharing: Sharing | None = None
    correlation: tuple[float, ...] = (1.0,)

    @cached_property
    def source(self) -> NoiseSource:
        """Of the noise of every step."""
        return NoiseSource(self.key, self.clipper.trained, self.correlation)

    @property
    def kept(self) -> dict[str, float]:
        """What changes from step to step beside the weights, and may be told."""
        rule = self.clipper.rule
        return {"clip_norm": rule.clip_norm} if isinstance(rule, Adapting) else {}

    @kept.setter
    def kept(self, values: dict[str, float]) -> None:
        if isinstance(self.clipper.rule, Adapting) and "clip_norm" in values:
            self.clipper.rule.clip_norm = values["clip_norm"]

    def __call__(self, network: nn.Module, indices: Tensor, step: int) -> Tensor | None:
        """Clip, sum, add noise, divide. Returns the mean loss, or None where it is not told or the batch is empty."""
        trained = self.clipper.trained
        sums = self.source(step, self.deviation(step)) if ranks.rank() == 0 else self.clipper.zeros()
        total = torch.zeros((), device=self.device)
        for piece in self.clipped(indices, step, sums):
            total += piece.losses.sum()
        ranks.add_up([*sums.values(), total])
        for name, parameter in trained.items():
            parameter.grad = sums[name].div_(self.divisor).to(parameter.dtype)
        self._adapt(step)
        return total / len(indices) if len(indices) and self.tell_loss else None

    def clipped(self, indices: Tensor, step: int, sums: dict[str, Tensor]) -> list[Piece]:
        """Add the clipped contributions of a step to sums: of its pieces those of this process. Returns what each gave."""
        pieces = enumerate(self._pieces(indices, step))
        return [self._add(chosen, shares, sums, step, piece) for piece, (chosen, shares) in pieces if piece % ranks.count() == ranks.rank()]

    def deviation(self, step: int) -> float:
        """Of the noise on the sum."""
        rule, multiplier = self.clipper.rule, self.multipliers[step]
        return rule.sensitivity * (rule.rule.sum_multiplier(multiplier, self.divisor) if isinstance(rule, Adapting) else multiplier)

    def _adapt(self, step: int) -> None:
        """A rule that adapts goes on to its next clip norm, by its count with noise."""
        rule = self.clipper.rule
        if isinstance(rule, Adapting):
            balance = torch.tensor([rule.balance], dtype=torch.float64)
            ranks.add_up([balance])
            rule.balance = float(balance)
            rule.move(float(numpy_generator(self.key, "count", step).standard_normal()), self.multipliers[step], self.divisor)

    def _add(self, chosen: Tensor, shares: Shares | None, sums: dict[str, Tensor], step: int, piece: int) -> Piece:
        batch = self.encoded.batch(chosen, self.device, step)
        with torch_seeded(self.key, "forward", step, piece, self.device), autocast(self.device, self.precision):
            return self.clipper.add(batch, sums, shares)

    def _pieces(self, indices: Tensor, step: int) -> Iterator[tuple[Tensor, Shares | None]]:
        """Examples, of like length together, for less padding; a contribution of several is never cut."""
        if not len(indices):
            return
        most = max(1, min(self.physical_batch_size, -(-len(indices) // ranks.count())))
        if self.sharing is None:
            yield from ((chosen, None) for chosen in torch.split(indices[torch.argsort(self.encoded.lengths[indices], stable=True)], most))
            return
        owners, weights = self.sharing(indices, step)
        order = torch.argsort(owners, stable=True)
        numbers, counts = torch.unique_consecutive(owners[order], return_inverse=True, return_counts=True)[1:]
        for first, last in _together(counts.tolist(), most):
            own = (numbers >= first) & (numbers < last)
            places = order[own]
            yield indices[places], Shares((numbers[own] - first).to(self.device), weights[places].to(self.device), last - first)


def _together(counts: list[int], most: int) -> Iterator[tuple[int, int]]:
    """Contributions in a row that have at most so many examples together, or a single one that has more."""
    first, held = 0, 0
    for number, count in enumerate(counts):
        if held and held + count > most:
            yield first, number
            first, held = number, 0
        held += count
    yield first, len(counts)


def physical_batch(wanted: int | None, trained_weights: int, copies: bool) -> int:
    """The most examples at once: as asked for, else 256, or as many gradients as fit into 256 MiB where one is held for each."""
    if wanted is not None:
        return wanted
    return max(1, min(256, HELD_BYTES // (4 * trained_weights))) if copies else 256
