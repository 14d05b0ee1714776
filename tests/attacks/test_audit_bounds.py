"""Audit bounds equal closed forms, slow twins and another library; ties, doubt and the reference's tables."""

from __future__ import annotations

import math
from collections.abc import Callable

import dp_accounting
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special, stats

from tasks.attacks import _audit_bounds
from tasks.attacks._audit_bounds import (
    LowerBound,
    clopper_pearson_bound,
    epsilon_of_gaussian,
    gaussian_is_rejected,
    gdp_bound,
    one_run_bound,
    one_run_fdp_bound,
    one_run_p_value,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Bound = Callable[[Floats, Bools, float, float], LowerBound]
DELTA = 1e-5
TRUE = {1.0: 4.377, 2.0: 9.997, 3.0: 16.675}
BOUNDS: tuple[Bound, ...] = (one_run_bound, one_run_fdp_bound, gdp_bound, clopper_pearson_bound)

pools = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=60).map(
    lambda rows: (np.array([score for score, _ in rows], dtype=float), np.array([member for _, member in rows], dtype=bool))
)


def normal_scores(mu: float, members: int, others: int, seed: int) -> tuple[Floats, Bools]:
    member = np.arange(members + others) < members
    return np.random.default_rng(seed).normal(size=len(member)) + mu * member, member


@pytest.mark.parametrize("mu", [1e-6, 0.01, 0.3, 1.0, 2.0, 7.0, 40.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-5, 0.01, 0.3])
def test_epsilon_of_a_gaussian_is_dp_accountings(mu: float, delta: float) -> None:
    with np.errstate(divide="ignore"):  # its own, where its two terms round to one
        listed = dp_accounting.get_epsilon_gaussian(1 / mu, delta)
    assert epsilon_of_gaussian(mu, delta) == pytest.approx(listed, rel=1e-7, abs=1e-9)


def test_epsilon_of_a_gaussian_at_its_ends() -> None:
    assert epsilon_of_gaussian(0.0, DELTA) == epsilon_of_gaussian(-1.0, 0.0) == epsilon_of_gaussian(5.0, 1.0) == 0.0
    assert epsilon_of_gaussian(1.0, 0.0) == math.inf
    assert [epsilon_of_gaussian(mu, DELTA) for mu in TRUE] == pytest.approx(list(TRUE.values()), abs=5e-4)


def slow_p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Term by term, with exact binomial coefficients."""
    share = math.exp(epsilon) / (1 + math.exp(epsilon))

    def at_least(least: int) -> float:
        return math.fsum(math.comb(guesses, t) * share**t * (1 - share) ** (guesses - t) for t in range(max(least, 0), guesses + 1))

    alpha = max([0.0] + [(at_least(right - i) - at_least(right)) / i for i in range(1, canaries + 1)])
    return min(1.0, at_least(right) + 2 * canaries * delta * alpha)


@settings(deadline=None)
@given(st.integers(1, 30), st.data(), st.floats(0, 6), st.sampled_from([0.0, 1e-5, 1e-3, 0.05]))
def test_p_value_of_one_run_is_its_slow_twin(canaries: int, data: st.DataObject, epsilon: float, delta: float) -> None:
    guesses = data.draw(st.integers(0, canaries))
    right = data.draw(st.integers(0, guesses))
    assert one_run_p_value(canaries, guesses, right, epsilon, delta) == pytest.approx(slow_p_value(canaries, guesses, right, epsilon, delta), rel=1e-9)


@settings(deadline=None)
@given(st.integers(10, 400), st.data(), st.sampled_from([0.0, 1e-5, 1e-3]))
def test_a_smaller_epsilon_or_one_more_right_guess_is_never_more_probable(guesses: int, data: st.DataObject, delta: float) -> None:
    """Where the p-value is small enough to reject: what makes a bisection right, and a bound rise with the guesses."""
    right = data.draw(st.integers(guesses // 2, guesses))
    epsilons = np.linspace(0, 8, 60)
    values = np.array([one_run_p_value(2 * guesses, guesses, right, epsilon, delta) for epsilon in epsilons])
    [rejected] = np.nonzero(values <= 0.05)
    assert not rejected.size or (rejected.max() == len(rejected) - 1 and (np.diff(values[rejected]) >= -1e-12).all())
    if right < guesses:
        better = np.array([one_run_p_value(2 * guesses, guesses, right + 1, epsilon, delta) for epsilon in epsilons])
        assert (better[rejected] <= values[rejected] + 1e-12).all()


@pytest.mark.parametrize(("guesses", "most"), [(10, 1.05), (50, 2.78), (100, 3.49), (500, 5.11), (1000, 5.81), (5000, 7.42)])
def test_ceiling_of_one_run_is_the_references_and_the_closed_form(guesses: int, most: float) -> None:
    """All canaries guessed, delta 0: ln(x / (1 - x)) for x = 0.05^(1/r)."""
    member = np.arange(guesses) >= guesses // 2
    found = one_run_bound(np.arange(guesses, dtype=float), member, 0.0, 0.95, (1.0,))
    assert found.ceiling == pytest.approx(most, abs=5e-3) and found.ceiling == pytest.approx(special.logit(0.05 ** (1 / guesses)), rel=1e-5)
    assert (found.epsilon, found.guesses, found.right) == (found.ceiling, guesses, guesses)


def most_probable(canaries: int, guesses: int, right: int, mu: float) -> float:
    """The largest P[right or more guesses are right] that the inequalities of Mahloujifar et al. leave to a mu-GDP mechanism, as a linear programme.

    F is held from above by its tangents, so the answer is a little too large.
    """
    counts = np.arange(guesses + 1)
    z = np.linspace(-9, 9, 700)
    points, slopes = stats.norm.cdf(z), np.exp(-mu * z - mu**2 / 2)
    heights = stats.norm.cdf(z + mu)
    rows, limits = [], []
    for least in range(1, guesses + 1):
        hits = np.where(counts >= least, counts, 0) / canaries
        misses = np.where(counts >= least - 1, guesses - counts, 0) / canaries
        rows.append(hits[None, :] - slopes[:, None] * misses[None, :])
        limits.append(heights - slopes * points)
    found = optimize.linprog(
        -(counts >= right).astype(float), np.vstack(rows), np.concatenate(limits), np.ones((1, guesses + 1)), [1.0], bounds=(0, 1), method="highs"
    )
    assert found.success
    return float(-found.fun)


@pytest.mark.parametrize(("canaries", "guesses", "right"), [(8, 8, 8), (8, 8, 6), (10, 4, 4), (12, 10, 8), (30, 6, 5)])
@pytest.mark.parametrize("mu", [0.0, 0.4, 1.0, 2.0])
def test_a_gaussian_is_rejected_as_a_linear_programme_says(canaries: int, guesses: int, right: int, mu: float) -> None:
    most = most_probable(canaries, guesses, right, mu)
    assert most > 0.99 or gaussian_is_rejected(canaries, guesses, right, mu, most * 1.001)
    assert not gaussian_is_rejected(canaries, guesses, right, mu, most * 0.999)


@pytest.mark.parametrize("guesses", [1, 7, 40, 300])
@pytest.mark.parametrize("mu", [0.0, 0.5, 1.5])
def test_a_gaussian_is_not_rejected_by_what_its_signs_do(guesses: int, mu: float) -> None:
    """The sign of N(+-mu/2, 1) is mu-GDP and right with probability Phi(mu/2): its own tail, exactly, is an event of one."""
    for right in range(guesses + 1):
        tail = stats.binom.sf(right - 1, guesses, stats.norm.cdf(mu / 2))
        assert not gaussian_is_rejected(guesses, guesses, right, mu, tail * (1 - 1e-9))


def test_rejecting_a_gaussian_is_monotone() -> None:
    for guesses in (20, 100):
        table = np.array([[gaussian_is_rejected(200, guesses, right, mu, 0.05) for mu in np.linspace(0, 4, 30)] for right in range(guesses + 1)])
        assert (np.diff(table.astype(int), axis=0) >= 0).all() and (np.diff(table.astype(int), axis=1) <= 0).all()
        assert table.any() and not table.all()


REFERENCE: dict[Bound, dict[float, float]] = {
    one_run_bound: {1.0: 1.538, 2.0: 2.715, 3.0: 3.909},
    one_run_fdp_bound: {1.0: 2.277, 2.0: 4.238, 3.0: 6.619},
    gdp_bound: {1.0: 3.726, 2.0: 8.393, 3.0: 14.613},
    clopper_pearson_bound: {1.0: 1.532, 2.0: 2.976, 3.0: 4.343},
}
"""One draw each by jax-privacy 2.0.0, which guesses members alone and pays for every threshold."""


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
@pytest.mark.parametrize("mu", TRUE)
def test_bounds_on_normal_scores_are_near_the_references_and_below_the_truth(bound: Bound, mu: float) -> None:
    """1,000 and 1,000 scores, eleven fixed draws: none above the truth, their median no less than 90% of the one draw listed."""
    found = [bound(*normal_scores(mu, 1000, 1000, seed), DELTA, 0.95) for seed in range(11)]
    assert max(one.epsilon for one in found) <= TRUE[mu]
    assert np.median([one.epsilon for one in found]) >= 0.9 * REFERENCE[bound][mu]
    assert all(one.epsilon <= one.ceiling and one.right <= one.guesses for one in found)


def slow_rates(found: int, above: int, rank: int, below: int, significance: float) -> list[tuple[float, float]]:
    """Every pair on the edge of the region in which the product of the two p-values is above c, by root finding."""
    least = optimize.brentq(lambda c: c * (1 - math.log(c)) - significance, 1e-12, 1.0)
    edge = []
    for false in np.linspace(1e-4, 1 - 1e-4, 400):
        left = least / max(stats.beta.sf(false, rank, below - rank + 1), 1e-300)  # what the other p-value must be above
        if left < 1:
            edge.append((optimize.brentq(lambda true, left=left: stats.binom.sf(found - 1, above, true) - left, 0.0, 1.0) if found else 0.0, false))
    return edge


@pytest.mark.parametrize(("splits", "slack"), [(256, 0.02), (8, 0.6)])
@pytest.mark.parametrize(("found", "above", "rank", "below"), [(30, 40, 4, 50), (40, 40, 1, 60), (5, 200, 3, 90), (0, 30, 2, 30)])
def test_a_threshold_proves_what_its_slow_twin_does(
    found: int, above: int, rank: int, below: int, splits: int, slack: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both statistics, over the edge of the region: never above the twin, and with many splits below by less than 2%."""
    monkeypatch.setattr(_audit_bounds, "SPLITS", splits)
    side = _audit_bounds._Side(np.array([rank]), np.array([found]), above, below)
    low, high = side.rates(side.found, 0.01)
    edge = np.array(slow_rates(found, above, rank, below, 0.01))
    for both in (np.divide, lambda true, false: special.ndtri(true) - special.ndtri(false)):
        statistic: Callable[[Floats, Floats], Floats] = both
        fast, slow = np.min(statistic(low[0], high[0])), np.min(statistic(edge[:, 0], edge[:, 1]))
        assert fast == slow or slow - slack * max(1.0, abs(slow)) <= fast <= slow + 1e-3 * abs(slow)


def test_every_share_and_every_threshold_pays_its_part_of_the_error() -> None:
    """The ceilings of 1,000 canaries: 500 guesses of three shares, and the best of five thresholds on each of two sides, or of one."""
    scores, member = np.arange(1000, dtype=float), np.arange(1000) >= 500
    alone = 1 - 0.05 / len(_audit_bounds.FRACTIONS)
    assert one_run_bound(scores, member, 0.0, 0.95).ceiling == pytest.approx(special.logit((1 - alone) ** (1 / 500)), rel=1e-5)
    assert one_run_fdp_bound(scores, member, DELTA, 0.95).ceiling == one_run_fdp_bound(scores, member, DELTA, alone, (0.5,)).ceiling
    side = _audit_bounds._Side.of(scores[member], scores[~member])
    assert list(side.ranks) == [1, 4, 14, 53, 200]
    low, high = side.rates(side.all_found, 0.05 / 10)
    assert clopper_pearson_bound(scores, member, DELTA, 0.95).ceiling == pytest.approx(np.log(np.max(np.min((low - DELTA) / high, axis=1))))
    low, high = side.rates(side.all_found, 0.05 / 5)
    most = np.max(np.min(special.ndtri(low) - special.ndtri(high), axis=1))
    assert gdp_bound(scores, member, DELTA, 0.95).ceiling == pytest.approx(epsilon_of_gaussian(most, DELTA))


@settings(deadline=None)
@given(pools, st.integers(0, 1000))
def test_ties_never_raise_a_bound(pool: tuple[Floats, Bools], seed: int) -> None:
    """Whatever breaks them, blind to who is a member or not."""
    scores, member = pool
    draw = np.random.default_rng(seed)
    for bound in BOUNDS:
        tied = bound(scores, member, DELTA, 0.8)
        for broken in (scores + draw.permutation(len(scores)) * 1e-3, scores + 1e-3 * member):
            found = bound(broken, member, DELTA, 0.8)
            assert tied.epsilon <= found.epsilon + 1e-9 and tied.ceiling == found.ceiling


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
def test_ties_are_decided_against_the_auditor_in_any_order(bound: Bound) -> None:
    """Scores of which a fifth are alike, so that the guesses of either kind end within a tie."""
    scores, member = normal_scores(2.0, 300, 300, 0)
    scores = np.round(scores)
    worst, best = bound(scores - 1e-3 * member, member, DELTA, 0.95), bound(scores + 1e-3 * member, member, DELTA, 0.95)
    assert 0 < worst.epsilon < best.epsilon
    for order in (np.arange(600), np.arange(600)[::-1], np.random.default_rng(0).permutation(600)):
        assert bound(scores[order], member[order], DELTA, 0.95) == worst


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
def test_scores_that_are_all_alike_prove_nothing_in_any_order(bound: Bound) -> None:
    member = np.arange(400) < 200
    for order in (member, ~member, np.random.default_rng(0).permutation(member)):
        assert bound(np.zeros(400), order, DELTA, 0.95).epsilon == 0.0


@settings(deadline=None)
@given(pools, st.data())
def test_bounds_rise_with_right_guesses_and_fall_with_confidence_and_delta(pool: tuple[Floats, Bools], data: st.DataObject) -> None:
    scores, member = pool[0] + np.arange(len(pool[0])) * 1e-3, pool[1]
    better = member.copy()
    if len(member) > 1:
        one, two = data.draw(st.integers(0, len(member) - 1)), data.draw(st.integers(0, len(member) - 1))
        lower, higher = sorted((one, two), key=lambda index: float(scores[index]))
        better[[lower, higher]] = member[lower] & member[higher], member[lower] | member[higher]
    for bound in BOUNDS:
        found = bound(scores, member, DELTA, 0.8)
        assert found.epsilon <= bound(scores, better, DELTA, 0.8).epsilon + 1e-9
        for surer in (bound(scores, member, DELTA, 0.9), bound(scores, member, 1e-3, 0.8)):
            assert surer.epsilon <= found.epsilon + 1e-9 and surer.ceiling <= found.ceiling + 1e-9


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
@pytest.mark.parametrize("member", [[], [True], [False], [True, False], [True] * 5, [False] * 300], ids=len)
def test_too_little_to_tell_proves_nothing(bound: Bound, member: list[bool]) -> None:
    found = bound(np.arange(len(member), dtype=float), np.array(member, dtype=bool), DELTA, 0.95)
    assert found.epsilon == 0.0 and found.ceiling >= 0.0 and found.right <= found.guesses <= len(member)


def test_delta_0_is_a_bound_where_it_can_be_and_refused_where_it_cannot() -> None:
    scores, member = normal_scores(2.0, 300, 300, 0)
    for bound in (one_run_bound, clopper_pearson_bound):
        pure, approximate = bound(scores, member, 0.0, 0.95), bound(scores, member, 1e-3, 0.95)
        assert 0 < approximate.epsilon < pure.epsilon < math.inf
    for bound in (one_run_fdp_bound, gdp_bound):
        with pytest.raises(ValueError, match="delta 0"):
            bound(scores, member, 0.0, 0.95)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
@pytest.mark.parametrize("claimed", [1.0, 2.0, 4.0])
def test_noise_removed_is_flagged(bound: Bound, claimed: float) -> None:
    """Scores are the coins themselves, tied within each pool: the bound is its ceiling, and no guess is wrong."""
    member = np.random.default_rng(0).random(1000) < 0.5
    found = bound(member.astype(float), member, DELTA, 0.95)
    assert found.epsilon == found.ceiling > claimed and found.right == found.guesses
    assert bound(-member.astype(float), member, DELTA, 0.95).epsilon == 0.0


@pytest.mark.parametrize(("mu", "claimed"), [(1.0, 0.5), (2.0, 1.0)])
def test_noise_halved_is_flagged_by_gdp_and_not_by_one_run(mu: float, claimed: float) -> None:
    """1,000 canaries, twenty fixed draws; one run has not the power, as the reference says.

    Of true claims GDP may flag one in twenty: six of twenty would be a false alarm of 3e-4.
    """
    claim = epsilon_of_gaussian(claimed, DELTA)
    draws = [normal_scores(mu, 500, 500, seed) for seed in range(20)]
    assert all(gdp_bound(*draw, DELTA, 0.95).epsilon > claim for draw in draws)
    assert np.median([one_run_bound(*draw, DELTA, 0.95).epsilon for draw in draws]) < claim
    assert sum(gdp_bound(*normal_scores(claimed, 500, 500, seed), DELTA, 0.95).epsilon > claim for seed in range(20)) < 6
