"""Intervals and tests over runs against scipy and statsmodels; Holm's correction against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from tasks.comparison.compare import compare
from tasks.comparison.statistics import p_above, p_below, p_within, summarise
from tasks.core.multiplicity import holm
from tests.comparison.studies import facts, trials

SAMPLES = [np.random.default_rng(seed).normal(0.02 * seed, 0.03, size=2 + seed) for seed in range(12)]


@pytest.mark.parametrize("values", SAMPLES)
def test_the_interval_is_that_of_t(values: np.ndarray) -> None:
    found = summarise(list(values))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    assert [found.mean, found.low, found.high] == pytest.approx([values.mean(), low, high])
    assert found.n == len(values) and found.spread == pytest.approx(stats.sem(values))
    normal = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
    assert found.low != pytest.approx(normal[0])  # a normal interval would be seen


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("bound", [0.0, 0.1, -0.05])
def test_one_sided_p_is_that_of_scipy(values: np.ndarray, bound: float) -> None:
    found = summarise(list(values))
    assert p_above(found, bound) == pytest.approx(stats.ttest_1samp(values, bound, alternative="greater").pvalue)
    assert p_below(found, bound) == pytest.approx(stats.ttest_1samp(values, bound, alternative="less").pvalue)


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("margin", [0.01, 0.1, 0.5])
def test_equivalence_is_that_of_statsmodels(values: np.ndarray, margin: float) -> None:
    found = p_within(summarise(list(values)), margin)
    assert found == pytest.approx(DescrStatsW(values).ttost_mean(-margin, margin)[0])
    other = np.random.default_rng(9).normal(size=len(values))
    assert p_within(summarise(list(values)), margin) == pytest.approx(ttost_paired(values + other, other, -margin, margin)[0])


def test_a_difference_from_the_baseline_is_the_paired_one_of_scipy() -> None:
    draw = np.random.default_rng(1)
    hard = draw.normal(0.8, 0.1, size=8)  # what the arms of a seed share
    plain, other = hard + draw.normal(0, 0.01, size=8), hard + 0.02 + draw.normal(0, 0.01, size=8)
    found = compare(facts(["plain", "other"]), trials({"plain": list(plain), "other": list(other)}))
    [difference] = found.differences
    paired = stats.ttest_rel(other, plain).confidence_interval(0.95)
    assert [difference.low, difference.high] == pytest.approx([paired.low, paired.high])
    assert difference.value == pytest.approx((other - plain).mean()) and (difference.n, difference.interval, difference.status) == (8, "runs", "ok")
    unpaired = stats.ttest_ind(other, plain).confidence_interval(0.95)
    assert difference.low > unpaired.low + 0.02  # arms that are not paired would be seen


def slow_holm(p: list[float]) -> list[float]:
    """The adjusted p of a test: the largest, over tests with no larger p, of that p times how many tests have no smaller one."""
    return [min(1.0, max(other * sum(third >= other for third in p) for other in p if other <= value)) for value in p]


def rejected(p: list[float], level: float) -> list[bool]:
    """Holm's procedure: go up the sorted p while each is at most level / (how many are left), and stop at the first that is not."""
    order, found = sorted(range(len(p)), key=lambda index: p[index]), [False] * len(p)
    for place, index in enumerate(order):
        if p[index] > level / (len(p) - place):
            break
        found[index] = True
    return found


@pytest.mark.parametrize("count", range(9))
def test_holm_equals_its_definition(count: int) -> None:
    """Random p, with ties and ends among them."""
    for seed in range(20):
        p = [round(float(value) / 4, 1 + seed % 4) for value in np.random.default_rng(seed).random(count)]
        assert holm(p) == pytest.approx(slow_holm(p))
        for level in (0.011, 0.0257, 0.0513, 0.203):
            assert [value <= level for value in holm(p)] == rejected(p, level)


def test_holm_is_that_of_statsmodels_and_not_bonferroni() -> None:
    p = [0.2, 0.01, 0.04, 0.03, 0.0001, 0.9]
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))
    assert holm(p) != pytest.approx(list(multipletests(p, method="bonferroni")[1]))


@pytest.mark.parametrize("values", [[0.5] * 6, [0.1 + 0.2, 0.3, 0.3], [1e6 / 3] * 5])
def test_values_that_differ_by_rounding_have_no_spread(values: list[float]) -> None:
    found = summarise(values)
    assert found.spread == 0 and found.low == found.high == found.mean


def test_one_run_has_no_interval() -> None:
    found = summarise([0.7])
    assert (found.mean, found.low, found.high, found.n) == (0.7, None, None, 1)
