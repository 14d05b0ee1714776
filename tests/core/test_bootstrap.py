"""The clustered bootstrap: close to scipy's for independent items, and right about as often as it says for clustered ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from tasks.core import bootstrap
from tasks.core.bootstrap import clustered_interval, clusters_of, items_of

Floats = NDArray[np.float64]
FALSE_ALARM = 1e-6


def mean(total: Floats) -> Floats:
    shares: Floats = total[:, 0] / total[:, 1]
    return shares


def summed(values: Floats) -> Floats:
    return np.column_stack([values, np.ones_like(values)])


def interval(values: Floats, clusters: NDArray[Any], seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    found = clustered_interval(summed(values), mean, clusters, np.random.default_rng(seed), resamples)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["coins", "normal", "skewed"])
def test_for_independent_items_it_is_the_percentile_bootstrap_of_scipy(kind: str) -> None:
    """The ends differ by the noise of 4,000 resamples: less than a tenth of the interval."""
    draw = np.random.default_rng(1)
    values = {"coins": (draw.random(200) < 0.8).astype(float), "normal": draw.normal(size=80), "skewed": draw.exponential(size=120)}[kind]
    ours = interval(values, np.arange(len(values)), resamples=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    wide = theirs.high - theirs.low
    assert abs(ours[0] - theirs.low) < 0.1 * wide and abs(ours[1] - theirs.high) < 0.1 * wide


def test_of_clusters_it_is_the_bootstrap_of_their_sums() -> None:
    """A slow twin: draw clusters, put their items together, take the mean; draw by draw from the same generator."""
    draw = np.random.default_rng(3)
    clusters = draw.choice(["x", "y", "z", "w", "v"], size=40)
    values = draw.normal(size=40)
    names, counted = np.unique(clusters), []
    again = np.random.default_rng(0)
    for row in again.integers(len(names), size=(300, len(names))):
        counted.append(np.concatenate([values[clusters == names[index]] for index in row]).mean())
    np.testing.assert_allclose(interval(values, clusters, resamples=300), np.quantile(counted, [0.025, 0.975]), atol=1e-12)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).normal(size=50)
    whole = interval(values, np.arange(50))
    monkeypatch.setattr(bootstrap, "CHUNK", 170)
    assert interval(values, np.arange(50)) == pytest.approx(whole, abs=1e-12)


def coverage(by_cluster: bool, studies: int = 400) -> int:
    """How many of the intervals hold the true mean 0.7, of 60 users with 6 alike records each."""
    draw = np.random.default_rng(5)
    held = 0
    for study in range(studies):
        users = np.repeat(np.arange(60), 6)
        skill = draw.beta(0.7 * 1.5, 0.3 * 1.5, size=60)
        right = (draw.random(360) < skill[users]).astype(float)
        low, high = interval(right, users if by_cluster else np.arange(360), seed=study, resamples=300)
        held += low <= 0.7 <= high
    return held


def test_it_covers_as_often_as_it_says() -> None:
    """At least 92% of 400 studies at a false-alarm rate of 1e-6 (with 60 clusters the percentile method gives a little under 95%)."""
    held = coverage(by_cluster=True)
    assert stats.binomtest(held, 400, 0.92, alternative="less").pvalue > FALSE_ALARM
    assert held < 400  # not by being wide without bound


def test_resampling_records_of_one_user_apart_would_be_seen() -> None:
    """The planted fault: it claims 95% and holds far less."""
    held = coverage(by_cluster=False)
    assert stats.binomtest(held, 400, 0.92, alternative="less").pvalue < FALSE_ALARM


@pytest.mark.parametrize(("values", "clusters"), [([1.0] * 9, range(9)), ([1.0, 0.0, 1.0], [0, 0, 0]), ([1.0, 0.0] * 4, np.repeat(range(4), 2))])
def test_without_spread_there_is_no_interval(values: list[float], clusters: Any) -> None:
    assert clustered_interval(summed(np.array(values)), mean, np.array(clusters), np.random.default_rng(0)) is None


def test_resamples_that_leave_it_undefined_are_passed_over() -> None:
    """One cluster of three has anything to count: of 27 draws 8 have nothing."""
    items = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])

    def share(total: Floats) -> Floats:
        shares: Floats = np.divide(total[:, 0], total[:, 1], out=np.full(len(total), np.nan), where=total[:, 1] > 0)
        return shares

    found = clustered_interval(items, share, np.array([0, 1, 2, 3]), np.random.default_rng(0))
    assert found == (0.5, 1.0)


def test_items_tell_what_is_drawn_together_and_not_who() -> None:
    records = pd.DataFrame({"id": ["a", "b", "c", "d"], "user": ["anna", None, "anna", "ben"]})
    found = items_of(records["id"], clusters_of(records), {"correct": [1, 0, 1, 1]})
    first, alone, again, other = found["cluster"]
    assert first == again and len({first, alone, other}) == 3 and found["id"] == ["a", "b", "c", "d"]
    assert not any("anna" in str(value) for values in found.values() for value in values)
    later = records.iloc[2:]
    assert items_of(later["id"], clusters_of(later), {})["cluster"] == [again, other], "digests are the same in every subset"
