"""What one device does in one round, decided before it trains: which examples in which steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.core.seeds import derive, numpy_generator
from tasks.federated.client import Client


@dataclass(frozen=True)
class Job:
    """The local training of one device.

    Args:
        client: index of the device.
        rows: indices of the encoded examples that it holds.
        epochs, batch_size, most_steps: see Client.
        seed: of the device in this round: it decides the order of examples and dropout.
        weight: what its update is multiplied with; 0 until the cohort is known.
        window, round: what it holds is that of this window, and it is asked in this round.
    """

    client: int
    rows: NDArray[np.int64]
    epochs: int
    batch_size: int
    most_steps: int
    seed: int
    weight: float = 0.0
    window: int = 0
    round: int = 0

    def weighted(self, weight: float) -> Job:
        """The same job with its weight."""
        return replace(self, weight=float(weight))

    @property
    def steps(self) -> int:
        """How many local steps there are."""
        return min(self.epochs * -(-len(self.rows) // self.batch_size), self.most_steps)

    @cached_property
    def examples(self) -> int:
        """Examples trained on, repeats counted."""
        whole, rest = divmod(self.steps, max(1, -(-len(self.rows) // self.batch_size)))
        return whole * len(self.rows) + min(rest * self.batch_size, len(self.rows))

    def batches(self) -> Iterator[Tensor]:
        """Indices of each step's examples. Every epoch has an order of its own."""
        left = self.most_steps
        for epoch in range(self.epochs):
            order = torch.from_numpy(self.rows[numpy_generator(self.seed, "local-order", epoch).permutation(len(self.rows))])
            pieces = torch.split(order, self.batch_size)[:left]
            yield from pieces
            left -= len(pieces)
            if not left:
                return


@dataclass(frozen=True)
class Outcomes:
    """What devices report beside their updates, in the order of the jobs.

    Args:
        mean_loss, rms_loss: (m,) mean, and root of the mean square, of the losses of the examples as they were trained on; NaN of a device that failed or
            trained on nothing.
        answered: (m,) whether a device's contribution arrived.
    """

    mean_loss: NDArray[np.float64]
    rms_loss: NDArray[np.float64]
    answered: NDArray[np.bool_]

    @staticmethod
    def of(total: Sequence[float], squares: Sequence[float], jobs: Sequence[Job]) -> Outcomes:
        """From sums of losses and of their squares, of devices that all answered."""
        count = np.array([job.examples or np.nan for job in jobs], dtype=np.float64)
        means, roots = np.asarray(total, dtype=np.float64) / count, np.sqrt(np.asarray(squares, dtype=np.float64) / count)
        return Outcomes(means, roots, np.ones(len(jobs), dtype=np.bool_))


def device_seed(seed: int, round: int, client: int) -> int:
    """The seed of one device in one round: nothing else that is trained, nor in which order, changes what it draws."""
    return derive(seed, "device", round, client)


def make_job(client: int, rows: NDArray[np.int64], block: Client, seed: int, window: int = 0, round: int = 0) -> Job:
    """The job of a device that holds some examples."""
    return Job(client, rows, block.epochs, block.batch_size, block.steps(len(rows)), seed, window=window, round=round)
