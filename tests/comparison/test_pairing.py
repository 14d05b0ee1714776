"""Differences over the same items: paired, by clusters, corrected, and how often a false one is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison, PairedDifference
from tasks.comparison.pairing import adjusted, paired
from tests.comparison.studies import facts, reported, row, trials
from tests.comparison.test_report import Page

METRIC = "fairness/stereoset"


def items(values: Sequence[float] | NDArray[np.float64], clusters: Sequence[Any] | None = None, ids: Sequence[Any] | None = None) -> dict[str, Sequence[Any]]:
    made: dict[str, Sequence[Any]] = {"id": list(range(len(values))) if ids is None else ids, "score": list(values)}
    return made if clusters is None else {**made, "cluster": clusters}


def difference(first: Mapping[str, Sequence[Any]], second: Mapping[str, Sequence[Any]], **fields: Any) -> PairedDifference:
    return paired("a", "b", METRIC, "score", [(first, second)], **fields)


def study(seeds: int = 2, conditions: Mapping[str, str] | None = None) -> Comparison:
    """Two arms that answered 60 items; the first column differs, the second is a fact of the items."""
    draw = np.random.default_rng(2)
    hard = draw.normal(size=60)
    made = []
    for trial in trials({"plain": [0.5] * seeds, "other": [0.6] * seeds}, metric=f"{METRIC}/score"):
        values = hard + 0.1 * draw.normal(size=60) + (0.3 if trial.arm == "other" else 0)
        mine = {"id": list(range(60)), "score": list(values), "domain": [place % 3 for place in range(60)]}
        rows = trial.rows
        if conditions and trial.arm == "other":
            rows = (row(0.6, f"{METRIC}/score", conditions=dict(conditions)),)
        made.append(replace(trial, items={METRIC: mine}, rows=rows))
    return compare(facts(["plain", "other"]), made)


def test_it_is_paired() -> None:
    """Items are far harder than the arms differ: unpaired the interval would cover 0 by far."""
    draw = np.random.default_rng(0)
    hard, noise = draw.normal(0, 5, size=400), draw.normal(0, 0.2, size=400)
    found = difference(items(hard + 0.1 + noise), items(hard))
    made = stats.ttest_1samp(0.1 + noise, 0.0)
    ends = made.confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(0.1 + noise)) and [found.low, found.high] == pytest.approx([ends.low, ends.high], abs=0.003)
    assert found.detectable == pytest.approx((1.96 + 0.8416) * stats.sem(noise), rel=0.05) and found.p is not None and found.p < 0.001


def test_p_is_near_that_of_t() -> None:
    """100 items: t and the bootstrap differ by less than 0.03."""
    draw = np.random.default_rng(6)
    values = draw.normal(0.15, 1, size=100)
    found = difference(items(values), items(np.zeros(100)))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.03)


def test_items_are_drawn_by_cluster() -> None:
    """20 clusters of 10 items that are alike: the interval is that of 20, not of 200 items."""
    draw = np.random.default_rng(1)
    of_clusters = draw.normal(size=20)
    values, clusters = np.repeat(of_clusters, 10), [f"c{place // 10}" for place in range(200)]
    found, plain = difference(items(values, clusters), items(np.zeros(200))), difference(items(values), items(np.zeros(200)))
    assert (found.n, found.clusters, plain.clusters) == (200, 20, 200)
    assert found.low is not None and found.high is not None and plain.low is not None and plain.high is not None
    assert (found.high - found.low) / (plain.high - plain.low) == pytest.approx(10**0.5, rel=0.1)
    error = of_clusters.std() / 20**0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_what_is_not_there_is_found_once_in_twenty() -> None:
    """The false-alarm rate, measured: 400 pairs of 60 clusters without a difference. 5% nominal; a percentile bootstrap of 60 is slightly above.
    0.05 to 0.10 within 4 standard errors of 0.011 around 0.055."""
    draw = np.random.default_rng(9)
    rate = np.mean([(difference(items(draw.normal(size=60)), items(draw.normal(size=60)), resamples=999).p or 1) <= 0.05 for _ in range(400)])
    assert 0.01 <= rate <= 0.10


def test_the_detectable_difference_is_found_in_four_of_five_sets_of_items() -> None:
    """400 sets of 100 items: 0.8 give or take 0.08, 4 standard errors."""
    draw, true = np.random.default_rng(10), (1.96 + 0.8416) / 100**0.5
    found = [difference(items(draw.normal(true, 1, size=100)), items(np.zeros(100)), resamples=999) for _ in range(400)]
    assert np.mean([(one.p or 1) <= 0.05 for one in found]) == pytest.approx(0.8, abs=0.08)
    assert np.mean([one.detectable or 0 for one in found]) == pytest.approx(true, rel=0.05)


def test_items_are_joined_by_id_and_what_lacks_a_number_is_left_out() -> None:
    values = [float(place) for place in range(40)]
    turned = items([value - 1 for value in reversed(values)], ids=list(reversed(range(40))))
    found = difference(items(values), turned)
    assert (found.n, found.value, found.low, found.p) == (40, 1.0, None, None) and found.reason == "no interval: every item differs alike"
    lost = items([float("nan"), *values[1:]], ids=[*range(39), 99])
    assert difference(lost, items(values)).n == 38


@pytest.mark.parametrize(
    ("first", "status", "words"),
    [
        (items([0.0] * 29), "insufficient_evidence", "29 shared items in 29 clusters"),
        (items(list(range(50)), [place % 9 for place in range(50)]), "insufficient_evidence", "50 shared items in 9 clusters"),
        (items(list(range(50)), ids=[0, *range(49)]), "unsupported", "stands twice"),
    ],
)
def test_what_cannot_be_told_is_refused(first: dict[str, Sequence[Any]], status: str, words: str) -> None:
    found = difference(first, items([0.0] * 50))
    assert found.status == status and words in (found.reason or "") and (found.value, found.low, found.p, found.detectable) == (None,) * 4


def test_seeds_are_averaged_item_by_item() -> None:
    """Two seeds of the same items are no more items."""
    draw = np.random.default_rng(4)
    one, two = draw.normal(size=(2, 80))
    both = paired("a", "b", METRIC, "score", [(items(one), items(np.zeros(80))), (items(two), items(np.zeros(80)))])
    mean = difference(items((one + two) / 2), items(np.zeros(80)))
    assert both.n == 80 and both.seeds == 2 and both.value == pytest.approx(mean.value) and [both.low, both.high] == pytest.approx([mean.low, mean.high])


def test_p_is_corrected_over_all() -> None:
    ps = [0.001, 0.02, 0.03, 0.6]
    made = [PairedDifference(arm="a", versus="b", metric="m", column="c", n=1, clusters=1, seeds=1, p=p) for p in [*ps[:2], None, *ps[2:]]]
    assert [one.p_adjusted for one in adjusted(made) if one.p is not None] == pytest.approx(list(multipletests(ps, method="fdr_bh")[1]))
    assert adjusted(made)[2].p_adjusted is None


def test_a_study_of_few_seeds_that_gives_items_has_the_table() -> None:
    made = study()
    (found,) = made.paired
    assert (found.arm, found.versus, found.column, found.seeds, found.n) == ("other", "plain", "score", 2, 60), "a fact of the items differs in nothing"
    assert found.low is not None and 0.2 < found.low < 0.3 < 0.4 and found.p_adjusted == found.p
    said = Page(reported(made)).text
    assert "Differences over the same items" in said and "fairness/stereoset: score" in said
    assert Comparison.model_validate_json(made.model_dump_json()) == made
    assert study(seeds=5).paired == () and "Differences over the same items" not in Page(reported(study(seeds=5))).text


def test_items_under_unlike_conditions_are_not_compared() -> None:
    (found, *rest) = study(conditions={"data": "d2"}).paired
    assert found.status == "unsupported" and found.reason == "measured under unlike conditions (data)" and found.value is None and len(rest) == 1
