"""Extra work that a strategy asks of devices: losses and gradients of the current model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.core.seeds import numpy_generator
from tasks.federated.costs import BOTH, FORWARD, Costs
from tasks.federated.holdings import Held
from tasks.federated.local import Work
from tasks.models.losses import example_losses

BATCH = 256
SKETCH = 256
GRADIENT_EXAMPLES = 64


class Asking:
    """Devices as a strategy may ask them. Every answer is counted.

    Args:
        work: network and examples.
        held: what devices hold now.
        costs: the ledger.
        seed: decides the projection of gradients, and with the round which examples are drawn.
    """

    def __init__(self, work: Work, held: Held, costs: Costs, seed: int, round: int = 0) -> None:
        self._work, self._held, self._costs, self._seed, self._round = work, held, costs, seed, round

    @torch.no_grad()
    def losses(self, clients: NDArray[np.int64], most: int | None = None) -> NDArray[np.float64]:
        """(K,) mean loss of the current model on all that each device holds, or on ``most`` examples of it."""
        rows = [self._some(int(client), most) for client in clients]
        flat = torch.from_numpy(np.concatenate([*rows, np.zeros(0, dtype=np.int64)]))
        owner = torch.repeat_interleave(torch.arange(len(clients)), torch.tensor([len(part) for part in rows], dtype=torch.long))
        sums = torch.zeros(len(clients), dtype=torch.float64)
        order = torch.argsort(self._work.encoded.lengths[flat], stable=True)
        self._work.network.eval()
        for places in torch.split(order, BATCH):
            found = example_losses(self._work.network, self._work.encoded.batch(flat[places], self._work.device))
            sums.index_add_(0, owner[places], found.double().cpu())
        self._costs.queried(len(clients), self._tokens(flat), FORWARD, 8 * len(clients))
        means: NDArray[np.float64] = sums.numpy() / np.maximum(1, [len(part) for part in rows])
        return means

    def gradients(self, clients: NDArray[np.int64]) -> NDArray[np.float32]:
        """(K, 256) the gradient of each device's mean loss over its first 64 examples, as a count sketch (Charikar et al. 2002): inner
        products are kept in expectation."""
        size = self._work.size
        generator = numpy_generator(self._seed, "gradient-sketch")
        bucket = torch.from_numpy(generator.integers(SKETCH, size=size))
        sign = torch.from_numpy(generator.integers(2, size=size) * 2 - 1).float()
        found = np.zeros((len(clients), SKETCH), dtype=np.float32)
        tokens = 0
        self._work.network.eval()
        for place, client in enumerate(clients):
            rows = torch.from_numpy(self._held.rows(int(client))[:GRADIENT_EXAMPLES])
            tokens += self._tokens(rows)
            flat = self._gradient(rows).cpu()
            found[place] = torch.zeros(SKETCH).index_add_(0, bucket, flat * sign).numpy()
        self._costs.queried(len(clients), tokens, BOTH, found.nbytes)
        return found

    def _some(self, client: int, most: int | None) -> NDArray[np.int64]:
        rows = self._held.rows(client)
        if most is None or len(rows) <= most:
            return rows
        return numpy_generator(self._seed, "asked", self._round, client).choice(rows, most, replace=False, shuffle=False)

    def _gradient(self, rows: torch.Tensor) -> torch.Tensor:
        loss = example_losses(self._work.network, self._work.encoded.batch(rows, self._work.device)).mean()
        parts = torch.autograd.grad(loss, list(self._work.parameters.values()), allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    def _tokens(self, rows: torch.Tensor) -> int:
        return int(self._work.encoded.lengths[rows].sum())
