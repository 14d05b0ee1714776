"""The arithmetic of designs that know their probabilities: rates, the line that systematic sampling cuts, distributions of clustered sampling."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.optimize import brentq

from tasks.data.dataset import DataError
from tasks.federated.selections._cohorts import sequentially
from tasks.federated.selections._rates import capped_rates, proportional, systematic
from tasks.federated.selections._strata import laid_out
from tests.federated.test_inclusion import by_hand
from tests.federated.views import ACTIVITY, AWAY, COHORT, agrees, generator, selection, view


def by_bisection(weights: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """min(1, c w) with c found by a root finder."""
    positive = weights[weights > 0]
    if len(positive) <= total:
        return (weights > 0).astype(np.float64)
    scale = brentq(lambda c: np.minimum(1, c * positive).sum() - total, 0, 2 * total / positive.min(), xtol=1e-300, rtol=1e-14, maxiter=1000)
    rates: NDArray[np.float64] = np.minimum(1.0, scale * weights)
    return rates


@pytest.mark.parametrize("seed", range(40))
def test_capped_rates_are_those_of_bisection(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(1, 60))
    weights = np.where(random.random(size) < 0.9, random.lognormal(sigma=random.uniform(0, 4), size=size), 0.0)
    total = int(random.integers(1, 40))
    rates = capped_rates(weights, total)
    assert rates == pytest.approx(by_bisection(weights, total), rel=1e-9)
    assert rates.sum() == pytest.approx(min(total, np.count_nonzero(weights)), rel=1e-12)
    assert rates.max(initial=0) <= 1 and np.array_equal(rates > 0, weights > 0)
    order = np.argsort(weights)
    assert np.all(np.diff(rates[order]) >= 0)


def test_many_rounds_of_capping() -> None:
    weights: NDArray[np.float64] = np.array([3.0**power for power in range(40)])
    rates = capped_rates(weights, 30)
    assert rates == pytest.approx(by_bisection(weights, 30), rel=1e-9) and np.count_nonzero(rates == 1) > 25


def test_without_a_cap_the_cohort_would_be_too_small() -> None:
    share = ACTIVITY / ACTIVITY.sum()
    assert np.minimum(1, COHORT * share).sum() < 0.7 * COHORT  # the usual m n / sum n
    assert capped_rates(ACTIVITY.astype(np.float64), COHORT).sum() == pytest.approx(COHORT, rel=1e-12)


def test_small_weights_keep_a_rate_above_zero() -> None:
    rates = capped_rates(np.array([1e60, 1e60, 1.0]), 2)
    assert rates[:2].tolist() == [1, 1] and 0 < rates[2] < 1e-59


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("cap", [None, 10])
def test_rates_follow_powers_of_clipped_activity(alpha: float, cap: int | None) -> None:
    for activity in (ACTIVITY, np.repeat(ACTIVITY, 20)):  # without and with a table of powers
        seen = view(activity, away=AWAY)
        found = selection("activity-proportional", alpha=alpha, activity_cap=cap).expected_draws(seen, COHORT)
        weights = np.where(seen.available, np.minimum(activity, cap or 10**9).astype(np.float64) ** alpha, 0)
        assert found == pytest.approx(by_bisection(weights, COHORT), rel=1e-9)
    if alpha == 0:
        assert found == pytest.approx(selection("uniform").expected_draws(seen, COHORT), rel=1e-12)


def test_a_cap_makes_all_devices_above_it_alike() -> None:
    found = selection("activity-proportional", activity_cap=5).expected_draws(view(), COHORT)
    assert found is not None and len(set(found[ACTIVITY >= 5])) == 1


def test_poisson_cohorts_may_be_empty_and_are_not_drawn_again() -> None:
    strategy, seen = selection("activity-proportional"), view(np.full(50, 3))
    sizes = [len(strategy.draw(seen, 1, generator(number)).clients) for number in range(2000)]
    # P(empty) = (1 - 1/50)^50 = 0.364; five standard errors are 0.054.
    assert np.mean(np.array(sizes) == 0) == pytest.approx(0.98**50, abs=0.054)


def test_a_device_s_coin_does_not_depend_on_who_else_is_available() -> None:
    strategy = selection("activity-proportional", alpha=0.0)
    for number in range(100):
        # At twice the devices and twice the cohort the rates are the same.
        all_there = strategy.draw(view(np.full(40, 2)), 10, generator(number)).clients
        half = strategy.draw(view(np.full(40, 2), away=range(20, 40)), 5, generator(number)).clients
        assert np.array_equal(all_there[all_there < 20], half)


@pytest.mark.parametrize("seed", range(60))
def test_systematic_samples_have_their_size(seed: int) -> None:
    random = np.random.default_rng(seed)
    rates = capped_rates(random.lognormal(sigma=2.5, size=int(random.integers(20, 400))), 19)
    drawn = systematic(rates, random)
    assert len(drawn) == len(set(drawn)) == 19 and set(np.flatnonzero(rates == 1)) <= set(drawn)


@pytest.mark.parametrize("held", [[5, 3, 3, 1, 0, 9, 2], [1, 1, 1, 1, 1], [100, 1, 1, 1], [7], [12, 12, 12, 12]])
@pytest.mark.parametrize("cohort_size", [1, 2, 3, 5])
def test_distributions_of_clustered_sampling_are_exact(held: list[int], cohort_size: int) -> None:
    table = by_hand(np.array(held), cohort_size)
    assert all(sum(row) == 1 for row in table)
    assert [sum(column) for column in zip(*table, strict=True)] == [Fraction(cohort_size * records, sum(held)) for records in held]
    order, ends, capacity = laid_out(np.array(held), cohort_size)
    found = [[Fraction(0)] * len(held) for _ in range(cohort_size)]
    for device, end, begin in zip(order.tolist(), ends.tolist(), [0, *ends.tolist()], strict=False):
        for row in range(cohort_size):
            overlap = min(end, (row + 1) * capacity) - max(begin, row * capacity)
            found[row][device] = Fraction(max(0, overlap), capacity)
    assert found == table


def test_a_heavy_device_is_drawn_from_every_distribution_it_fills() -> None:
    for number in range(50):
        cohort = selection("clustered-by-size").draw(view([80, 5, 5, 5, 5]), 10, generator(number))
        assert cohort.clients[0] == 0 and cohort.draws[0] == 8


def test_proportional_draws_never_meet_a_device_of_weight_0() -> None:
    weights = np.array([0, 1e-9, 0, 5, 0, 0])
    assert set(proportional(weights, 5000, generator(0))) == {3}
    assert len(proportional(np.zeros(4), 3, generator(0))) == 0


class AtTheEnd:
    """A generator whose uniform numbers are as close to 1 as they get."""

    def random(self, size: int | None = None) -> NDArray[np.float64] | float:
        return np.nextafter(1.0, 0) if size is None else np.full(size, np.nextafter(1.0, 0))

    def shuffle(self, values: NDArray[np.int64]) -> None:
        values[:] = values[::-1].copy()


def test_rounding_at_the_end_of_the_line() -> None:
    weights = np.append(np.full(999, 0.1), [0.0, 0.0])
    last: NDArray[np.int64] = proportional(weights, 4, AtTheEnd())  # type: ignore[arg-type]
    assert set(last) == {998}
    rates = capped_rates(np.full(1000, 0.1), 7)
    assert len(systematic(rates, AtTheEnd())) == 7  # type: ignore[arg-type]


def test_threshold_that_nobody_meets() -> None:
    with pytest.raises(DataError, match=r"no device holds 501 records in round 1, the most is 500: lower federation\.selection\.minimum"):
        selection("threshold", minimum=501).draw(view(), COHORT, generator(0))
    # Somebody does, but is away: a round without an update.
    assert len(selection("threshold", minimum=500).draw(view(away=[29]), COHORT, generator(0)).clients) == 0


def test_the_most_active() -> None:
    cohort = selection("top-m").draw(view(away=[28]), 5, generator(0))
    assert cohort.clients.tolist() == [25, 26, 27, 29, 31]


@pytest.mark.parametrize(
    "block",
    [
        {"kind": "activity-proportional", "alpha": -0.1},
        {"kind": "activity-proportional", "design": "sequential"},
        {"kind": "activity-proportional", "activity_cap": 0},
        {"kind": "multinomial", "alpha": -1},
        {"kind": "threshold", "minimum": 0},
        {"kind": "power-of-choice", "candidates": 0},
        {"kind": "participation-history", "cutoff": 0},
        {"kind": "uniform", "alpha": 1},
    ],
)
def test_fields_are_bounded(block: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        selection(**block)  # type: ignore[arg-type]


def test_sequential_draws_have_the_order_of_the_definition() -> None:
    weights = np.array([1.0, 2.0, 3.0, 6.0])
    pairs = list(itertools.permutations(range(4), 2))
    # P(first i, then j) = w_i / W x w_j / (W - w_i).
    exact = [weights[i] / 12 * weights[j] / (12 - weights[i]) for i, j in pairs]
    assert sum(exact) == pytest.approx(1)
    found = [tuple((sequentially(np.arange(4) + 10, weights, 2, generator(number)) - 10).tolist()) for number in range(20_000)]
    counts = np.array([found.count(pair) for pair in pairs])
    assert agrees(counts, len(found), exact)
    # The control: the same draws are not independent ones.
    assert not agrees(counts, len(found), [weights[i] * weights[j] / 144 for i, j in pairs])


def test_sequential_draws_take_those_of_weight_0_last() -> None:
    for number in range(50):
        drawn = sequentially(np.arange(5), np.array([0.0, 1.0, 0.0, 1e-200, 0.0]), 3, generator(number)).tolist()
        assert drawn[:2] == [1, 3] and drawn[2] in (0, 2, 4)
