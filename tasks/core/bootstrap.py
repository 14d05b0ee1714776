"""Item intervals: a clustered bootstrap of any statistic that is a function of sums over items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.fingerprint import digest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 1000
CHUNK = 4_000_000
"""The most cluster draws held at once."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95% interval; no ends where the resamples have no spread."""

    value: float
    low: float | None
    high: float | None


def clustered_interval(
    items: Floats, statistic: Callable[[Floats], Floats], clusters: NDArray[Any], generator: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """The central 95% of a statistic over resampled clusters (percentile bootstrap, Efron 1979; clusters as in Davison and Hinkley 1997, 3.8).

    Args:
        items: (N, D) what each item adds to the sums.
        statistic: (B, D) sums to (B,) values; NaN where a resample leaves it undefined.
        clusters: (N,) the unit that is drawn whole: a user, else the item itself.
        generator: decides the draws.
        resamples: how many.

    Returns:
        low and high, or None where the resamples have no spread (one cluster, or every item alike).
    """
    import numpy as np

    _, place = np.unique(clusters, return_inverse=True)
    units = int(place.max()) + 1
    sums = np.zeros((units, items.shape[1]))
    np.add.at(sums, place, items)
    values = []
    for size in _chunks(resamples, units):
        drawn = generator.integers(units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        values.append(statistic(counts @ sums))
    low, high = np.nanquantile(np.concatenate(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return (float(low), float(high)) if low < high else None


def estimate(
    items: Floats, statistic: Callable[[Floats], Floats], clusters: Sequence[Any] | NDArray[Any], seed: int, entity: str
) -> tuple[float, tuple[float, float] | None]:
    """A statistic of sums (see ``clustered_interval``) and its 95% interval, which holds it. The same seed and entity draw the same clusters."""
    import numpy as np

    from tasks.core.seeds import numpy_generator

    value = float(statistic(items.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return value, None
    return value, holding(value, clustered_interval(items, statistic, np.asarray(clusters), numpy_generator(seed, "bootstrap", entity=entity)))


def holding(value: float, ends: tuple[float, float] | None) -> tuple[float, float] | None:
    """The interval, widened where it would leave its own value out."""
    return None if ends is None else (min(ends[0], value), max(ends[1], value))


def clusters_of(predictions: pd.DataFrame) -> NDArray[Any]:
    """What is drawn whole: the user, where the data names users; a record without one stands for itself."""
    ids = predictions["id"].map(lambda record: f"record {record}")
    if "user" not in predictions:
        return ids.to_numpy(dtype=str)
    users = predictions["user"].map(lambda user: f"user {user}", na_action="ignore")
    return users.where(predictions["user"].notna(), ids).to_numpy(dtype=str)


def items_of(ids: Iterable[Any], clusters: Iterable[Any], columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Items of a measure, for differences between arms: ``id``, ``cluster``, which tells by a digest what is drawn together, and numbers."""
    return {"id": [str(one) for one in ids], "cluster": [digest(str(one))[:16] for one in clusters], **columns}


def _chunks(resamples: int, units: int) -> list[int]:
    most = max(1, CHUNK // units)
    return [min(most, resamples - start) for start in range(0, resamples, most)]
