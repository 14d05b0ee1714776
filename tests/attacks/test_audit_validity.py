"""Audit bounds of mechanisms whose epsilon is known are above it no more often than they say; where an assumption fails, they are.

A share above the truth is held to 5% by a binomial test whose false alarm is 1e-4. Every kind of bound has a control that the test catches.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from tasks.attacks._audit_bounds import FRACTIONS, LowerBound, clopper_pearson_bound, epsilon_of_gaussian, gdp_bound, one_run_bound, one_run_fdp_bound

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Draw = Callable[[np.random.Generator, Bools], Floats]
Bound = Callable[[Floats, Bools], LowerBound]
FALSE_ALARM = 1e-4
DELTA = 1e-5


def randomised_response(epsilon: float) -> Draw:
    """The coin, kept with probability e^epsilon / (1 + e^epsilon); what orders equal answers says nothing of it. (epsilon, 0)-DP, tight."""

    def draw(generator: np.random.Generator, member: Bools) -> Floats:
        kept = generator.random(len(member)) < special.expit(epsilon)
        return np.where(kept, member, ~member) + 0.5 * generator.random(len(member))

    return draw


def laplace(epsilon: float, step: float = 0.0) -> Draw:
    """The coin and Laplace noise, rounded to a multiple of ``step``: (epsilon, 0)-DP, ties where it is rounded."""

    def draw(generator: np.random.Generator, member: Bools) -> Floats:
        scores = member + generator.laplace(scale=1 / epsilon, size=len(member))
        return np.round(scores / step) * step if step else scores

    return draw


def at_times(draw: Draw) -> Draw:
    """Nothing at all in half of the runs, so that the canaries' guesses depend on each other."""
    return lambda generator, member: draw(generator, member) if generator.random() < 0.5 else generator.random(len(member))


def named(delta: float) -> Draw:
    """Each coin is told outright with probability ``delta``, else nothing is: (0, delta)-DP."""
    return lambda generator, member: np.where(generator.random(len(member)) < delta, 2.0 * (2 * member - 1), generator.random(len(member)))


def normal(mu: float) -> Draw:
    """mu-GDP, tight at every threshold."""
    return lambda generator, member: generator.normal(size=len(member)) + mu * member


def sign(mu: float) -> Draw:
    """The sign of a normal score: mu-GDP, tight at one threshold."""
    return lambda generator, member: (generator.normal(size=len(member)) + mu * member > mu / 2) + 0.5 * generator.random(len(member))


def repeated(draw: Draw, times: int) -> Draw:
    """Every score stands for ``times`` records, so scores are not independent."""
    return lambda generator, member: np.repeat(draw(generator, member[::times]), times)


def above(draw: Draw, bound: Bound, truth: float, size: int, repeats: int, coins: bool = True, each: int = 1) -> int:
    """How many bounds are above the truth. Members are drawn by coins, alike for ``each`` records in turn, or are half of the records."""
    count = 0
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        member = np.repeat(generator.random(size // each) < 0.5 if coins else np.arange(size // each) < size // each // 2, each)
        found = bound(draw(generator, member), member)
        count += (found.epsilon if found.mu is None else found.mu) > truth
    return count


def holds(count: int, repeats: int) -> bool:
    return bool(stats.binomtest(count, repeats, 0.05, alternative="greater").pvalue > FALSE_ALARM)


def one_run(delta: float = 0.0, confidence: float = 0.95, fractions: tuple[float, ...] = FRACTIONS) -> Bound:
    return lambda scores, member: one_run_bound(scores, member, delta, confidence, fractions)


def fdp(scores: Floats, member: Bools) -> LowerBound:
    return one_run_fdp_bound(scores, member, DELTA, 0.95)


def gdp(scores: Floats, member: Bools) -> LowerBound:
    return gdp_bound(scores, member, DELTA, 0.95)


def clopper_pearson(delta: float = 0.0) -> Bound:
    return lambda scores, member: clopper_pearson_bound(scores, member, delta, 0.95)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_one_run_of_randomised_response_is_exactly_tight(epsilon: float) -> None:
    """No simulation: of 100 guesses Binomial(100, s) are right. Bounds above the truth have at most 5%, and one right guess less would have more."""
    member, share = np.arange(100) >= 50, special.expit(epsilon)
    exceeding = []
    for wrong in range(51):
        coins = member.copy()
        coins[50 : 50 + wrong] = False  # so many of the highest 50 are no members
        found = one_run_bound(np.arange(100, dtype=float), coins, 0.0, 0.95, (1.0,))
        assert found.right == 100 - wrong
        exceeding += [found.right] if found.epsilon > epsilon else []
    assert stats.binom.sf(min(exceeding) - 1, 100, share) <= 0.05 < stats.binom.sf(min(exceeding) - 2, 100, share)


@pytest.mark.parametrize("draw", [randomised_response(1.0), laplace(1.0), laplace(1.0, step=0.5), at_times(randomised_response(1.0))])
def test_one_run_holds_whatever_the_mechanism(draw: Draw) -> None:
    assert holds(above(draw, one_run(), 1.0, 200, 250), 250)


def test_a_bound_that_promises_less_is_caught() -> None:
    """The control: the same bound at 70%, held to 95%."""
    assert not holds(above(randomised_response(1.0), one_run(confidence=0.7, fractions=(0.5,)), 1.0, 200, 250), 250)


def test_one_run_pays_for_delta() -> None:
    """A mechanism that names a few canaries is (0, delta)-DP: nothing is proved at its delta, and most runs prove something at delta 0."""
    assert holds(above(named(0.05), one_run(0.05), 0.0, 400, 150), 150)
    assert not holds(above(named(0.05), one_run(0.0), 0.0, 400, 150), 150)


@pytest.mark.parametrize(("kind", "mu"), [(normal, 1.0), (sign, 1.0), (sign, 0.3)])
def test_the_f_dp_form_holds_for_gaussian_mechanisms(kind: Callable[[float], Draw], mu: float) -> None:
    assert holds(above(kind(mu), fdp, mu, 300, 250), 250)


def test_the_f_dp_form_of_a_stronger_leak_is_caught() -> None:
    """The control: signs at mu 3, held to mu 0.6."""
    assert not holds(above(sign(3.0), fdp, 0.6, 300, 60), 60)


@pytest.mark.parametrize(("mu", "size"), [(0.0, 100), (0.5, 1000), (1.0, 60), (2.0, 400), (3.0, 1000)])
def test_gdp_holds_for_independent_normal_scores(mu: float, size: int) -> None:
    assert holds(above(normal(mu), gdp, mu, size, 200), 200)


def test_gdp_of_scores_that_depend_on_each_other_is_caught() -> None:
    """The control, and what its documentation warns of: forty records in ten copies are not four hundred."""
    assert not holds(above(repeated(normal(1.0), 10), gdp, 1.0, 400, 100, each=10), 100)


@pytest.mark.parametrize(("draw", "coins"), [(randomised_response(1.0), True), (laplace(1.0), False), (laplace(1.0, step=0.5), False)])
def test_clopper_pearson_holds_for_independent_scores(draw: Draw, coins: bool) -> None:
    assert holds(above(draw, clopper_pearson(), 1.0, 300, 200, coins), 200)


def test_clopper_pearson_pays_for_delta_and_for_its_copies() -> None:
    assert holds(above(named(0.1), clopper_pearson(0.1), 0.0, 400, 150), 150)
    assert not holds(above(named(0.1), clopper_pearson(0.0), 0.0, 400, 60), 60)
    assert not holds(above(repeated(laplace(1.0), 10), clopper_pearson(), 1.0, 400, 60, each=10), 60)


@pytest.mark.parametrize("bound", [fdp, gdp])
def test_a_gaussian_bound_on_another_trade_off_overstates_epsilon(bound: Bound) -> None:
    """What their documentation warns of: randomised response at epsilon 1 is 1.23-GDP and no less, whose epsilon at this delta is above 5."""
    generator = np.random.default_rng(0)
    member = generator.random(2000) < 0.5
    scores = randomised_response(1.0)(generator, member)
    found = bound(scores, member)
    least = 2 * special.ndtri(special.expit(1.0))
    assert found.mu is not None and found.mu <= least == pytest.approx(1.23, abs=5e-3)
    assert 1.2 < found.epsilon <= epsilon_of_gaussian(least, DELTA)
    assert one_run()(scores, member).epsilon <= 1.0 and clopper_pearson()(scores, member).epsilon <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "bound", "truth"),
    [
        (randomised_response(2.0), one_run(), 2.0),
        (randomised_response(2.0), one_run(fractions=(0.5,)), 2.0),
        (laplace(0.5), one_run(), 0.5),
        (named(0.01), one_run(0.01), 0.0),
        (sign(1.5), fdp, 1.5),
        (normal(1.0), gdp, 1.0),
        (normal(4.0), gdp, 4.0),
        (randomised_response(2.0), clopper_pearson(), 2.0),
        (laplace(3.0), clopper_pearson(), 3.0),
        (normal(1.0), clopper_pearson(DELTA), epsilon_of_gaussian(1.0, DELTA)),
    ],
)
def test_bounds_hold_on_a_thousand_draws(draw: Draw, bound: Bound, truth: float) -> None:
    assert holds(above(draw, bound, truth, 1000, 1000), 1000)
