"""Utility by activity: do people who use a device little get a worse model?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.bootstrap import clustered_interval
from tasks.core.measures import Measures, Row
from tasks.core.seeds import numpy_generator
from tasks.federated.evaluations.federated import Federated
from tasks.federated.partitioning import dealt_by
from tasks.federated.population import Population
from tasks.federated.scoring import device_scores
from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    from tasks.federated.steps import StrataConfig

DECILES = range(1, 11)
FEWEST_DEVICES = 5


def strata_measures(config: StrataConfig, predicted: Path, population: Path, seed: int) -> Measures:
    """For each metric its value on the test records of each decile of devices by activity (10 is the most active), with an interval over devices;
    nothing where all devices are equally active.

    Where devices hold the test data, also the mean and the lowest or highest decile of the devices' own scores. Devices that were erased are in
    none of these: the model's value on their records stands apart.
    """
    facts = json.loads((predicted / "predictions.json").read_text())
    records = pd.read_parquet(predicted / "predictions.parquet")
    there = Population.load(population)
    gone = config.timeline.erased(len(there.names), config.timeline.window_count - 1, seed)
    left = (there.test >= 0) & gone[there.test]
    rows: list[Row] = []
    for metric in config.metrics:
        if facts["task"] not in metric.tasks or not metric.of_predictions:
            continue
        scored = metric.score(records)
        common = {"direction": metric.direction, "lowest": metric.lowest, "highest": metric.highest}
        conditions = {"data": facts["data"], "split": facts["split"], "partition": dealt_by(population)}
        if np.ptp(there.activity) > 1:  # where all devices hold as many records none is light
            decile = np.where((there.test >= 0) & ~left, there.deciles()[there.test], 0)
            strata = {f"decile_{number}": np.flatnonzero(decile == number) for number in DECILES}
            rows += [_stratum(metric, scored, there, word, places, common, conditions, seed) for word, places in strata.items()]
        if config.timeline.erases:
            rows.append(_stratum(metric, scored, there, "erased", np.flatnonzero(left), common, conditions, seed))
        if isinstance(config.evaluation, Federated):
            rows += _of_devices(metric, scored, there, np.flatnonzero(~left), common, conditions, seed)
    return Measures(tuple(rows))


def _stratum(
    metric: UtilityMetric,
    scored: Scored,
    there: Population,
    word: str,
    places: NDArray[np.intp],
    common: dict[str, Any],
    conditions: dict[str, str],
    seed: int,
) -> Row:
    """The value on the test records of some devices."""
    name = metric.metric("utility", word)
    devices = len(np.unique(there.test[places]))
    shown = {**common, "name": name, "n": len(places), "conditions": conditions}
    if devices < FEWEST_DEVICES or len(places) < metric.minimum_items:
        reason = f"{len(places)} test records of {devices} devices; {metric.minimum_items} of {FEWEST_DEVICES} are needed"
        return Row(value=None, status="insufficient_evidence", reason=reason, **shown)
    sums = scored.sums[places]
    value = float(scored.statistic(sums.sum(axis=0, keepdims=True))[0])
    return _row(value, clustered_interval(sums, scored.statistic, there.test[places], numpy_generator(seed, "bootstrap", entity=name)), shown)


def _of_devices(
    metric: UtilityMetric,
    scored: Scored,
    there: Population,
    places: NDArray[np.intp],
    common: dict[str, Any],
    conditions: dict[str, str],
    seed: int,
) -> Iterator[Row]:
    """The mean over devices that hold the records at some places, each counting alike, and what the worst tenth of them does not pass."""
    values = device_scores(scored, there.test, places)
    worst = 0.1 if metric.direction == "higher" else 0.9
    statistics: dict[str, Any] = {"device_mean": np.mean, "device_worst_decile": lambda found: np.quantile(found, worst)}
    for word, statistic in statistics.items():
        shown = {**common, "name": metric.metric("utility", word), "n": len(values), "conditions": conditions}
        if len(values) < metric.minimum_items:
            yield Row(value=None, status="insufficient_evidence", reason=f"{len(values)} devices hold test records, {metric.minimum_items} are needed", **shown)
            continue
        yield _row(float(statistic(values)), _bootstrap(values, statistic, numpy_generator(seed, "bootstrap", entity=str(shown["name"]))), shown)


def _bootstrap(values: NDArray[np.float64], statistic: Any, generator: np.random.Generator) -> tuple[float, float] | None:
    """A percentile bootstrap over devices."""
    found = [float(statistic(values[generator.integers(len(values), size=len(values))])) for _ in range(1000)]
    low, high = np.quantile(found, [0.025, 0.975])
    return (float(low), float(high)) if low < high else None


def _row(value: float, bounds: tuple[float, float] | None, shown: dict[str, Any]) -> Row:
    if value != value:
        return Row(value=None, status="undefined", reason="no record has what the metric counts", **shown)
    if bounds is None:
        return Row(value=value, reason="no interval: every resample is alike", **shown)
    return Row(value=value, low=min(bounds[0], value), high=max(bounds[1], value), interval="items", **shown)
