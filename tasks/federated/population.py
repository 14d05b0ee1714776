"""Populations: which device holds which record, and what the server knows of every device without asking it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.seeds import numpy_generator, uniform
from tasks.federated.partition import Partition


@dataclass(frozen=True, eq=False)
class Population:
    """The manifest of a federation: N devices, R training and T test records. Compare two by ``digest``.

    Args:
        names: N devices, sorted.
        train: (R,) device of each training record by index, -1 where none holds it.
        test: (T,) device of each test record, -1 where none holds it.
        train_window: (R,) window of each training record, from 0.
        test_window: (T,) window of each test record.
        train_ids: (R,) ids of the training records; without them, their places.
        test_ids: (T,) ids of the test records.
    """

    names: tuple[str, ...]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    train_window: NDArray[np.int64]
    test_window: NDArray[np.int64]
    train_ids: NDArray[np.object_] | None = None
    test_ids: NDArray[np.object_] | None = None

    @cached_property
    def activity(self) -> NDArray[np.int64]:
        """(N,) training records per device."""
        return np.bincount(self.train[self.train >= 0], minlength=len(self.names)).astype(np.int64)

    @cached_property
    def activity_by_window(self) -> NDArray[np.int64]:
        """(W, N) training records per window and device."""
        windows = 1 + max((int(part.max()) for part in (self.train_window, self.test_window) if len(part)), default=0)
        held = self.train >= 0
        cells = self.train_window[held] * len(self.names) + self.train[held]
        return np.bincount(cells, minlength=windows * len(self.names)).reshape(windows, len(self.names)).astype(np.int64)

    def deciles(self) -> NDArray[np.int64]:
        """(N,) 1 to 10 by activity over all devices, 10 the most active, each with N/10 devices, give or take one; ties by a keyed coin per name."""
        coins = np.array([uniform(0, "decile", name) for name in self.names])
        rank = np.empty(len(self.names), dtype=np.int64)
        rank[np.lexsort((coins, self.activity))] = np.arange(1, len(self.names) + 1)
        return -(-rank * 10 // max(len(self.names), 1))

    @cached_property
    def digest(self) -> str:
        """Digest of devices, records, who holds which and when."""
        hasher = hashlib.sha256(json.dumps([self.names, _shown(self.train_ids), _shown(self.test_ids)]).encode())
        for part in (self.train, self.test, self.train_window, self.test_window):
            hasher.update(len(part).to_bytes(8, "little") + part.astype("<i8").tobytes())
        return hasher.hexdigest()[:32]

    def facts(self) -> dict[str, Any]:
        """What ``population.json`` says: sizes, and how unequal activity is."""
        ascending = np.sort(self.activity)
        held = int(ascending.sum())
        return {
            "devices": len(self.names),
            "windows": len(self.activity_by_window),
            "records_held": held,
            "records_not_held": len(self.train) - held,
            "test_records_held": int((self.test >= 0).sum()),
            "test_records_not_held": int((self.test < 0).sum()),
            "gini": gini(self.activity),
            "top_1_percent_share": _top_share(ascending, 0.01),
            "top_10_percent_share": _top_share(ascending, 0.1),
            "median": float(np.median(ascending)) if len(ascending) else 0.0,
            "largest": int(ascending[-1]) if len(ascending) else 0,
            "digest": self.digest,
        }

    def save(self, folder: Path) -> None:
        """Write ``devices.parquet``, ``train.parquet``, ``test.parquet`` and ``population.json``."""
        devices = {"name": np.array(self.names, dtype=object), "activity": self.activity, "decile": self.deciles()}
        devices |= {f"window_{window}": counts for window, counts in enumerate(self.activity_by_window)}
        pd.DataFrame(devices).to_parquet(folder / "devices.parquet", index=False)
        for split, device, window, ids in self._splits():
            columns = {"device": device, "window": window}
            pd.DataFrame(columns if ids is None else {"id": ids, **columns}).to_parquet(folder / f"{split}.parquet", index=False)
        (folder / "population.json").write_text(json.dumps(self.facts(), indent=1) + "\n")

    @staticmethod
    def load(folder: Path) -> Population:
        """A saved population."""
        names = tuple(str(name) for name in pd.read_parquet(folder / "devices.parquet", columns=["name"])["name"])
        train, test = (pd.read_parquet(folder / f"{split}.parquet") for split in ("train", "test"))
        devices = [part["device"].to_numpy(dtype=np.int64) for part in (train, test)]
        windows = [part["window"].to_numpy(dtype=np.int64) for part in (train, test)]
        return Population(names, devices[0], devices[1], windows[0], windows[1], _ids(train), _ids(test))

    def _splits(self) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.object_] | None]]:
        yield "train", self.train, self.train_window, self.train_ids
        yield "test", self.test, self.test_window, self.test_ids


def build(
    partition: Partition, train: pd.DataFrame, test: pd.DataFrame, train_window: NDArray[np.int64], test_window: NDArray[np.int64], seed: int
) -> Population:
    """Deal the training records by the partition, then the test records after them. Raises DataError.

    A test record lies on a device in proportion to the training records of its stratum that the device holds (of all training records,
    where devices differ by no stratum), on none where no device holds its stratum. With users as strata that is the user's own device.
    """
    codes, names = pd.factorize(pd.Series(partition.assign(train, seed), dtype=object), sort=True)
    devices = codes.astype(np.int64)
    strata = partition.strata(train, test, seed) or (np.zeros(len(train), dtype=np.int64), np.zeros(len(test), dtype=np.int64))
    held = _drawn(devices, *strata, numpy_generator(seed, "test-device"))
    return Population(tuple(str(name) for name in names), devices, held, train_window, test_window, _ids(train), _ids(test))


def gini(activity: NDArray[np.int64]) -> float:
    """Inequality of activity: 0 where all devices hold as many records, towards 1 where one holds all."""
    count, total = len(activity), int(activity.sum())
    if total == 0:
        return 0.0
    ascending = np.sort(activity)
    return float(2 * np.sum(np.arange(1, count + 1) * ascending) / (count * total) - (count + 1) / count)


def _drawn(devices: NDArray[np.int64], train: NDArray[np.int64], test: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """(T,) the device of a training record drawn from those of the same stratum that a device holds; -1 where there is none."""
    coins = generator.random(len(test))
    places = np.flatnonzero((devices >= 0) & (train >= 0))
    places = places[np.argsort(train[places], kind="stable")]
    first = np.searchsorted(train[places], test, side="left")
    count = np.searchsorted(train[places], test, side="right") - first
    found = np.full(len(test), -1, dtype=np.int64)
    some = count > 0
    found[some] = devices[places[(first + np.floor(coins * count).astype(np.int64))[some]]]
    return found


def _top_share(ascending: NDArray[np.int64], share: float) -> float:
    """Share of all records that the most active devices hold, at least one device."""
    if not ascending.sum():
        return 0.0
    return float(ascending[-max(1, round(share * len(ascending))) :].sum() / ascending.sum())


def _ids(records: pd.DataFrame) -> NDArray[np.object_] | None:
    return records["id"].to_numpy(dtype=object) if "id" in records else None


def _shown(ids: NDArray[np.object_] | None) -> list[str] | None:
    return None if ids is None else [str(name) for name in ids]
