"""What partitions share: names of devices, and one-line errors for data that they cannot deal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.data.dataset import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def named(devices: NDArray[np.int64], count: int, word: str = "device", digits: int = 4) -> NDArray[np.object_]:
    """(R,) ``device-0007`` for 7 and None for -1: of one width, so that names sort as their numbers do."""
    width = max(digits, len(str(count - 1)))
    names = np.array([*(f"{word}-{device:0{width}d}" for device in range(count)), None], dtype=object)
    return names[devices]


def check(kind: str, records: pd.DataFrame, columns: tuple[str, ...], devices: int | None = None, each: int = 1, field: str = "devices") -> None:
    """Raise DataError where a column is absent or ``devices`` cannot hold ``each`` records at least."""
    absent = [column for column in columns if column not in records]
    if absent:
        raise DataError(f"partition {kind}: the data has no column {' and '.join(absent)}")
    if devices is not None and devices * each > len(records):
        raise DataError(f"partition {kind}: {devices} {field} need {devices * each} records, there are {len(records)}; lower partition.{field}")


def even(total: int, parts: int) -> NDArray[np.int64]:
    """(parts,) sizes that differ by one at most, larger ones first."""
    return np.full(parts, total // parts, dtype=np.int64) + (np.arange(parts) < total % parts)


def strata_by(train: pd.Series, test: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each value of the training records; -1 for a missing value and for one that only test records have."""
    import pandas as pd

    codes, values = pd.factorize(train, sort=True)
    return codes.astype(np.int64), pd.Index(values).get_indexer(pd.Index(test)).astype(np.int64)
