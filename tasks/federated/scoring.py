"""Scores of the model while devices train: of all test records, and of those of each window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.core.seeds import uniform
from tasks.federated.evaluation import Evaluation
from tasks.federated.evaluations.federated import Federated
from tasks.federated.noisy_sums import NoisySums
from tasks.federated.population import Population
from tasks.federated.timeline import Timeline
from tasks.models.artifact import LoadedModel
from tasks.models.batches import encode_split
from tasks.models.predicting import predictions
from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd

ALL = -1
"""Stands for all windows together."""


@dataclass(frozen=True)
class Score:
    """The score of the model after a round on the test records of a window (``ALL`` for all); NaN where it is undefined.

    ``n`` counts records, with noise where sums have it, or devices where they hold the test data; ``erased`` those devices that would be asked, and left.
    """

    round: int
    window: int
    score: float
    n: int
    erased: int = 0


class Scorer:
    """Scores the same test records at every check.

    Args:
        loaded: the model that devices train, as it is now.
        metric: what is scored.
        test: all test records.
        population: windows and devices of the test records.
        evaluation: how many of them.
        timeline: which windows there are, with one, only all together are scored; and who leaves.
        rounds: how many there are.
        seed: of the trial.
        noise: what is added to sums over devices; None: devices hand over scores.
        public_size: the public number of devices, where there is noise.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        metric: UtilityMetric,
        test: pd.DataFrame,
        population: Population,
        evaluation: Evaluation,
        timeline: Timeline,
        rounds: int,
        seed: int,
        noise: NoisySums | None = None,
        public_size: int | None = None,
    ) -> None:
        chosen = _chosen(test["id"].tolist(), population, evaluation, public_size if noise is not None else None)
        self._noise, self._coins = noise, np.array([uniform(0, "private-record", record) for record in test["id"].iloc[chosen]])
        self._loaded, self._metric = loaded, metric
        self._records = test.iloc[chosen].reset_index(drop=True)
        self._encoded = encode_split(self._records, loaded.encoder, loaded.shape)
        self._window, self._device = population.test_window[chosen], population.test[chosen]
        self._windows = range(timeline.window_count) if timeline.window_count > 1 else range(0)
        self._timeline, self._rounds, self._seed, self._devices = timeline, rounds, seed, len(population.names)
        self._by_device = isinstance(evaluation, Federated)

    def check(self, round: int, device: str) -> list[Score]:
        """The score after a round: of all, then of each window."""
        scored = self._metric.score(predictions(self._loaded, self._records, self._encoded, device))
        groups = [(ALL, np.arange(len(self._records))), *((window, np.flatnonzero(self._window == window)) for window in self._windows)]
        if self._noise is not None:
            return [Score(round, ALL, *self._noisy(self._noise, scored, round))]
        gone = self._timeline.erased(self._devices, self._timeline.window_of_round(max(0, round - 1), self._rounds), self._seed)
        return [Score(round, window, *self._score(scored, places, gone)) for window, places in groups]

    def _noisy(self, noise: NoisySums, scored: Scored, round: int) -> tuple[float, int]:
        """The score of noisy sums, cut to what the metric can be, and how many records there are according to them: all of it follows from what is released."""
        sums = noise.release(scored.sums, self._device, self._coins, round)
        count = float(sums[0, -1])
        value = float(scored.statistic(sums)[0]) if count >= 1 else float("nan")
        return float(np.clip(value, self._metric.lowest, self._metric.highest)), max(0, int(count))

    def _score(self, scored: Scored, places: NDArray[np.intp], gone: NDArray[np.bool_]) -> tuple[float, int, int]:
        if not len(places):
            return float("nan"), 0, 0
        if not self._by_device:
            return float(scored.statistic(scored.sums[places].sum(axis=0, keepdims=True))[0]), len(places), 0
        left = gone[self._device[places]]
        values, erased = device_scores(scored, self._device, places[~left]), len(np.unique(self._device[places[left]]))
        return (float(values.mean()), len(values), erased) if len(values) else (float("nan"), 0, erased)


def device_scores(scored: Scored, device: NDArray[np.int64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """The score of every device that holds some of the test records at ``places`` and has one."""
    places = places[device[places] >= 0]
    _, owner = np.unique(device[places], return_inverse=True)
    sums = np.zeros((int(owner.max()) + 1 if len(owner) else 0, scored.sums.shape[1]))
    np.add.at(sums, owner, scored.sums[places])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(scored.statistic(sums), dtype=np.float64)
    found: NDArray[np.float64] = values[np.isfinite(values)]
    return found


def _chosen(ids: list[str], population: Population, evaluation: Evaluation, public_size: int | None) -> NDArray[np.intp]:
    """Places of the test records of a check: the same for every seed and strategy. With a public number of devices each is asked by a coin of its own:
    nobody's presence then changes who else is asked.
    """
    coins = np.array([uniform(0, "scored", record) for record in ids])
    if isinstance(evaluation, Federated):
        device_coins = np.array([uniform(0, "scoring-device", name) for name in population.names])
        if public_size is not None:
            return np.flatnonzero((population.test >= 0) & (device_coins < evaluation.devices / public_size)[population.test])
        holding = np.unique(population.test[population.test >= 0])
        devices = holding[np.argsort(device_coins[holding], kind="stable")[: evaluation.devices]]
        return np.flatnonzero(np.isin(population.test, devices))
    return np.sort(np.concatenate([*_of_windows(coins, population, evaluation.records)]))


def _of_windows(coins: NDArray[np.float64], population: Population, most: int) -> Iterator[NDArray[np.intp]]:
    for window in np.unique(population.test_window):
        places = np.flatnonzero(population.test_window == window)
        yield places[np.argsort(coins[places], kind="stable")[:most]]
