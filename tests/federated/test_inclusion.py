"""How often devices are drawn is what strategies say.

Each test draws 10,000 cohorts from 32 skewed devices, five of which are away and one of which holds nothing. A device's count is held to its
expected draws at level 1e-4 over the number of devices (Bonferroni), so a test alarms falsely at most once in 10,000 seeds; seeds are fixed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from tasks.federated.selection import Cohort, Selection, View
from tests.federated.views import ACTIVITY, AWAY, COHORT, DRAWS, EVERY, count, selection, view

LEVEL = 1e-4


def rejected(counts: NDArray[np.int64], trials: int, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Devices whose count is not binomial with the stated probability; certain and impossible ones must be met exactly."""
    values = np.array(
        [binomtest(int(found), trials, float(p)).pvalue if 0 < p < 1 else float(found == trials * p) for found, p in zip(counts, probabilities, strict=True)]
    )
    return np.flatnonzero(values < LEVEL / len(values))


class Sequential(Selection):
    """The mistake: devices drawn one after the other in proportion to n, declared as min(1, m p)."""

    exact: ClassVar[bool] = True
    kind: Literal["wrong-sequential"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        weights = np.where(view.available, view.activity, 0) / view.activity[view.available].sum()
        clients = np.sort(generator.choice(len(weights), cohort_size, replace=False, p=weights))
        return Cohort(clients, np.ones(len(clients), dtype=np.int64), self.expected_draws(view, cohort_size)[clients], "exact")

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        weights = np.where(view.available, view.activity, 0) / view.activity[view.available].sum()
        declared: NDArray[np.float64] = np.minimum(1.0, cohort_size * weights)
        return declared


@pytest.mark.parametrize("name", ["uniform", "poisson", "poisson-capped", "fixed-size", "threshold", "top-m"])
def test_inclusion_without_replacement(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY)
    expected = strategy.expected_draws(seen, COHORT)
    assert expected is not None
    found = count(strategy, seen)
    assert not len(rejected(found.drawn, DRAWS, expected))
    assert np.array_equal(found.drawn, found.draws)
    assert not found.drawn[[*AWAY, 30]].any()
    if not name.startswith("poisson"):
        assert set(found.sizes) == {COHORT}


def test_uniform_among_devices_of_whom_none_is_away() -> None:
    strategy, seen = selection("uniform"), view(np.arange(1, 31))
    found = count(strategy, seen)
    assert not len(rejected(found.drawn, DRAWS, np.full(30, COHORT / 30))) and set(found.sizes) == {COHORT}


def test_the_population_has_devices_that_are_certain() -> None:
    expected = selection(**EVERY["poisson"]).expected_draws(view(away=AWAY), COHORT)
    assert expected is not None and 2 <= np.count_nonzero(expected == 1) < COHORT and expected.sum() == pytest.approx(COHORT, rel=1e-12)


def test_tied_devices_of_top_m_share_the_last_places() -> None:
    activity = [5, 3, 3, 3, 3, 1, 1, 9]
    strategy, seen = selection("top-m"), view(activity)
    expected = strategy.expected_draws(seen, 4)
    assert expected is not None and expected.tolist() == [1, 0.5, 0.5, 0.5, 0.5, 0, 0, 1]
    found = count(strategy, seen, 4)
    assert not len(rejected(found.drawn, DRAWS, expected)) and set(found.sizes) == {4}


@pytest.mark.parametrize("name", ["multinomial", "multinomial-root"])
def test_draws_with_replacement(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY)
    expected = strategy.expected_draws(seen, COHORT)
    assert expected is not None and expected.sum() == pytest.approx(COHORT, rel=1e-12)
    found = count(strategy, seen)
    # Draws are independent, so a device's total over all cohorts is binomial too; whether it is in a cohort is 1 - (1 - p)^m.
    assert not len(rejected(found.draws, DRAWS * COHORT, expected / COHORT))
    assert not len(rejected(found.drawn, DRAWS, 1 - (1 - expected / COHORT) ** COHORT))
    assert found.draws.sum() == DRAWS * COHORT and found.sizes.min() < COHORT


def by_hand(held: NDArray[np.int64], cohort_size: int) -> list[list[Fraction]]:
    """Fraboni et al.'s Algorithm 1, as written: fill distributions of capacity 1 with devices from large to small. (m, N)"""
    total = int(held.sum())
    distributions = [[Fraction(0)] * len(held) for _ in range(cohort_size)]
    filled, current = Fraction(0), 0
    for device in sorted(range(len(held)), key=lambda device: (-int(held[device]), device)):
        left = Fraction(int(held[device]) * cohort_size, total)
        while left > 0:
            part = min(left, 1 - filled)
            distributions[current][device] += part
            filled, left = filled + part, left - part
            if filled == 1:
                filled, current = Fraction(0), current + 1
    return distributions


def test_clustered_draws() -> None:
    strategy, seen = selection("clustered-by-size"), view(away=AWAY)
    held = np.where(seen.available, seen.activity, 0)
    table = np.array(by_hand(held, COHORT), dtype=np.float64)
    expected = strategy.expected_draws(seen, COHORT)
    assert expected is not None and np.allclose(table.sum(axis=0), expected, rtol=1e-12)
    found = count(strategy, seen)
    # A device's draws are a sum of independent coins, one per distribution: the normal limit at 10,000 rounds, variance known.
    spread = np.sqrt(DRAWS * (table * (1 - table)).sum(axis=0))
    gap = np.abs(found.draws - DRAWS * expected)
    assert np.all(gap[spread == 0] < 1e-6)
    values = 2 * norm.sf(gap[spread > 0] / spread[spread > 0])
    assert values.min() > LEVEL / len(values) and found.draws.sum() == DRAWS * COHORT
    assert not len(rejected(found.drawn, DRAWS, 1 - np.prod(1 - table, axis=0)))


def test_clustered_draws_vary_less_than_multinomial_ones() -> None:
    seen = view(away=AWAY)
    sums = []
    for name in ("clustered-by-size", "multinomial"):
        draws = np.zeros((2000, len(ACTIVITY)))
        for number in range(len(draws)):
            cohort = selection(**EVERY[name]).draw(seen, COHORT, np.random.default_rng(number))
            draws[number, cohort.clients] = cohort.draws
        sums.append(draws.var(axis=0).sum())
    # The exact variances have a ratio of 0.38, and each is estimated within a few per cent.
    assert sums[0] < 0.6 * sums[1]


def test_pairs_of_independent_coins_and_of_simple_samples() -> None:
    seen = view(away=AWAY)
    pairs = np.triu_indices(len(ACTIVITY), 1)
    poisson = selection(**EVERY["poisson"])
    expected = poisson.expected_draws(seen, COHORT)
    assert expected is not None
    coins = count(poisson, seen)
    assert not len(rejected(coins.together[pairs], DRAWS, np.outer(expected, expected)[pairs]))
    assert coins.sizes.var() == pytest.approx(float((expected * (1 - expected)).sum()), rel=0.06)  # five standard errors
    here = int(seen.available.sum())
    both = np.where(np.outer(seen.available, seen.available), COHORT * (COHORT - 1) / (here * (here - 1)), 0.0)
    assert not len(rejected(count(selection("uniform"), seen).together[pairs], DRAWS, both[pairs]))
    # With equal rates a random order makes systematic sampling a simple one; without it neighbours would never be drawn together.
    even = selection("activity-proportional", alpha=0, design="fixed-size")
    assert not len(rejected(count(even, seen).together[pairs], DRAWS, both[pairs]))


def test_a_wrong_design_is_rejected() -> None:
    strategy, seen = Sequential(kind="wrong-sequential"), view(away=AWAY)
    wrong = rejected(count(strategy, seen).drawn, DRAWS, strategy.expected_draws(seen, COHORT))
    assert len(wrong) > 5
    # Not only because of its cap: where no m p is above 1, the stated probabilities are wrong too.
    even = view(np.arange(1, 31))
    assert len(rejected(count(strategy, even).drawn, DRAWS, strategy.expected_draws(even, COHORT))) > 5


def test_a_lost_draw_in_ten_is_rejected() -> None:
    seen = view(away=AWAY)
    expected = selection("uniform").expected_draws(seen, COHORT)
    assert expected is not None
    found = count(selection("uniform"), seen)
    assert len(rejected((found.drawn * 0.9).astype(np.int64), DRAWS, expected)) > 5
