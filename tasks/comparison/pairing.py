"""Differences between two arms over the same items, for studies of few seeds: paired, and drawn by the unit in which items come."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.comparison.comparison import PairedDifference
from tasks.comparison.conditions import unlike
from tasks.comparison.results import StudyFacts, TrialResult
from tasks.comparison.statistics import FEWEST_SEEDS, LEVEL
from tasks.core.multiplicity import benjamini_hochberg
from tasks.core.seeds import numpy_generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ID, CLUSTER = "id", "cluster"
FEWEST_ITEMS, FEWEST_CLUSTERS = 30, 10
"""Below either there is no number: a bootstrap of a few units is too narrow."""
RESAMPLES, POWER = 9999, 0.8
CHUNK = 4_000_000
"""The most draws held at once."""

Items = Mapping[str, Sequence[Any]]


def paired_differences(facts: StudyFacts, trials: Sequence[TrialResult]) -> list[PairedDifference]:
    """Every arm less the baseline at its grid point, in every column of items that both have; none from five seeds on, which are tested over seeds."""
    found: list[PairedDifference] = []
    for arm in facts.arms:
        baseline = facts.baseline_of(arm)
        if baseline is not None:
            mine, theirs = ({trial.seed: trial for trial in trials if trial.arm == name and trial.items} for name in (arm.name, baseline.name))
            seeds = sorted(mine.keys() & theirs.keys())
            if 0 < len(seeds) < FEWEST_SEEDS:
                found += _of_pair(arm.name, baseline.name, [(mine[seed], theirs[seed]) for seed in seeds])
    return adjusted(found)


def adjusted(found: Sequence[PairedDifference]) -> list[PairedDifference]:
    """With p corrected over all that have one (Benjamini-Hochberg)."""
    corrected = iter(benjamini_hochberg([difference.p for difference in found if difference.p is not None]))
    return [difference if difference.p is None else difference.model_copy(update={"p_adjusted": next(corrected)}) for difference in found]


def _of_pair(arm: str, versus: str, seeds: Sequence[tuple[TrialResult, TrialResult]]) -> Iterator[PairedDifference]:
    first, second = seeds[0]
    for metric, items in first.items.items():
        tables = [(one.items[metric], other.items[metric]) for one, other in seeds if metric in one.items and metric in other.items]
        if not tables:
            continue
        differing = _unlike(metric, first, second)
        for column in _columns(items):
            shared = [pair for pair in tables if column in pair[0] and column in pair[1]]
            found = paired(arm, versus, metric, column, shared, differing) if shared else None
            if found is not None and (found.value != 0 or found.low is not None):  # what is the same for both tells of the items, not of the arms
                yield found


def _columns(items: Items) -> list[str]:
    return [name for name, values in items.items() if name not in (ID, CLUSTER) and any(isinstance(value, int | float) for value in values)]


def _unlike(metric: str, first: TrialResult, second: TrialResult) -> list[str]:
    """The conditions in which two trials' rows of one measurement differ."""
    theirs = {row.name: row for row in second.rows}
    rows = [(row, theirs[row.name]) for row in first.rows if row.name.startswith(f"{metric}/") and row.name in theirs]
    return sorted({name for pair in rows for name in unlike([row.conditions for row in pair])})


def paired(
    arm: str, versus: str, metric: str, column: str, seeds: Sequence[tuple[Items, Items]], differing: Sequence[str] = (), resamples: int = RESAMPLES
) -> PairedDifference:
    """One column: of each item the mean over seeds of the arm's number less the other's, then the mean over items.

    Args:
        seeds: the two arms' items, seed by seed; items are joined by ``id``, and those that lack a finite number on either side are left out.
        differing: conditions in which the arms were measured; where there are any, no number is given.
        resamples: bootstrap draws.
    """
    import numpy as np
    from scipy import special

    of_items, of_clusters = _joined(column, seeds)
    units = sorted(set(of_clusters.values()))
    common: dict[str, Any] = {"arm": arm, "versus": versus, "metric": metric, "column": column, "n": len(of_items), "clusters": len(units), "seeds": len(seeds)}
    if differing or any(len(set(items[ID])) < len(items[ID]) for pair in seeds for items in pair):
        reason = f"measured under unlike conditions ({', '.join(differing)})" if differing else "some item stands twice"
        return PairedDifference(status="unsupported", reason=reason, **common)
    if len(of_items) < FEWEST_ITEMS or len(units) < FEWEST_CLUSTERS:
        reason = f"{len(of_items)} shared items in {len(units)} clusters; at least {FEWEST_ITEMS} in {FEWEST_CLUSTERS} are needed"
        return PairedDifference(status="insufficient_evidence", reason=reason, **common)
    values: Floats = np.array(list(of_items.values()), dtype=np.float64)
    places = np.searchsorted(units, [of_clusters[item] for item in of_items])
    sums, sizes = np.zeros(len(units)), np.bincount(places, minlength=len(units)).astype(np.float64)
    np.add.at(sums, places, values)
    value, drawn = float(values.mean()), _drawn(sums, sizes, resamples, f"{arm} {versus} {metric} {column}")
    error = float(drawn.std(ddof=1))
    if error <= 1e-12 * max(1.0, abs(value)):
        return PairedDifference(value=value, reason="no interval: every item differs alike", **common)
    low, high = (float(end) for end in np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    reach = float(special.ndtri((1 + LEVEL) / 2) + special.ndtri(POWER))
    return PairedDifference(value=value, low=low, high=high, p=min(1.0, 2 * (tail + 1) / (resamples + 1)), detectable=reach * error, **common)


def _joined(column: str, seeds: Sequence[tuple[Items, Items]]) -> tuple[dict[Any, float], dict[Any, str]]:
    """Difference and cluster by item, of items that every seed has on both sides."""
    differences: dict[Any, list[float]] = {}
    clusters: dict[Any, str] = {}
    for first, second in seeds:
        theirs = dict(zip(second[ID], second[column], strict=True))
        for item, value, cluster in zip(first[ID], first[column], first.get(CLUSTER, first[ID]), strict=True):
            other = theirs.get(item)
            if value is not None and other is not None and math.isfinite(value) and math.isfinite(other):
                differences.setdefault(item, []).append(float(value) - float(other))
                clusters[item] = str(cluster)
    kept = {item: math.fsum(found) / len(found) for item, found in differences.items() if len(found) == len(seeds)}
    return kept, {item: clusters[item] for item in kept}


def _drawn(sums: Floats, sizes: Floats, resamples: int, entity: str) -> Floats:
    """Means over items of resamples of clusters."""
    import numpy as np

    units, generator = len(sums), numpy_generator(0, "paired", 0, entity)
    found = []
    for start in range(0, resamples, max(1, CHUNK // units)):
        drawn = generator.integers(units, size=(min(max(1, CHUNK // units), resamples - start), units))
        found.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(found)
