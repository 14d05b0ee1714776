"""The distributions of clustered sampling by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def laid_out(held: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Devices from large to small (ties by index), where each one's stretch ends on the line, and the capacity of a distribution.

    A device has a stretch of ``count`` times its records; distribution k is the k-th part of the line, each as long as all records
    together. Whole numbers throughout, so every sum is exact.
    """
    order = np.argsort(-held, kind="stable")
    order = order[: int(np.count_nonzero(held))]
    return order, np.cumsum(held[order] * count), int(held.sum())


def one_of_each(held: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(count,) the device drawn from each distribution."""
    order, ends, capacity = laid_out(held, count)
    if capacity == 0:
        return np.zeros(0, dtype=np.int64)
    points = np.arange(count, dtype=np.int64) * capacity + generator.integers(capacity, size=count)
    return order[np.searchsorted(ends, points, side="right")]
