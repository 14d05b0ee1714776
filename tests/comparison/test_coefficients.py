"""Coefficients over models against scipy: values, intervals, permutation tests, what n models can show, and how often a false one is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tasks.comparison import _coefficients as found
from tasks.comparison.correlation import Method

METHODS: tuple[Method, ...] = ("pearson", "spearman", "kendall")
SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


def sample(n: int, seed: int, share: float = 0.5, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Values with ties."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=n)
    return x.round(digits), (share * x + draw.normal(size=n)).round(digits)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [5, 9, 16, 40])
def test_a_coefficient_is_that_of_scipy(method: Method, n: int) -> None:
    for seed in range(5):
        x, y = sample(n, seed)
        assert found.coefficient(method, x, y) == pytest.approx(SCIPY[method](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_many_coefficients_at_once_are_each_that_of_its_row(method: Method) -> None:
    draw = np.random.default_rng(1)
    x, y = draw.integers(0, 6, size=(2, 300, 12)).astype(float)
    assert found.coefficients(method, x, y) == pytest.approx([SCIPY[method](*row).statistic for row in zip(x, y, strict=True)])


@pytest.mark.parametrize("method", METHODS)
def test_of_constant_values_there_is_no_coefficient(method: Method) -> None:
    x = np.arange(6.0)
    assert math.isnan(found.coefficient(method, x, np.full(6, 0.1 + 0.2))) and math.isnan(found.coefficient(method, np.zeros(6), x))
    assert found.coefficient(method, x, 1e9 + 1e-3 * x) == pytest.approx(1), "a small spread is no constant"


def test_fishers_interval_is_that_of_scipy_and_of_the_table() -> None:
    x, y = sample(14, 3)
    made = stats.pearsonr(x, y).confidence_interval(0.95)
    assert found.interval("pearson", found.coefficient("pearson", x, y), 14) == pytest.approx((made.low, made.high))
    table = {6: (-0.52, 0.93), 8: (-0.32, 0.89), 10: (-0.19, 0.86), 12: (-0.10, 0.83), 15: (-0.02, 0.81), 19: (0.06, 0.78), 30: (0.17, 0.73)}
    for n, ends in table.items():
        assert [round(end, 2) for end in found.interval("pearson", 0.5, n)] == pytest.approx(ends)


@pytest.mark.parametrize(("method", "truth"), [("spearman", 6 / math.pi * math.asin(0.3)), ("kendall", 2 / math.pi * math.asin(0.6))])
def test_intervals_of_rank_coefficients_hold_the_truth(method: Method, truth: float) -> None:
    """Of normal pairs with r = 0.6 the true rho and tau are known. 2,000 intervals hold it 95 times in 100, give or take 0.02: 4 standard errors, and
    the approximation's own error at n = 20."""
    draw = np.random.default_rng(4)
    x = draw.normal(size=(2000, 20))
    y = 0.6 * x + 0.8 * draw.normal(size=(2000, 20))
    ends = [found.interval(method, float(value), 20) for value in found.coefficients(method, x, y)]
    assert np.mean([low <= truth <= high for low, high in ends]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("method", ["spearman", "kendall"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_is_not_certain_to_be_perfect(method: Method, sign: int) -> None:
    low, high = sorted(sign * end for end in found.interval(method, float(sign), 6))
    assert high == 1.0 and low < 0.9
    assert found.interval("pearson", float(sign), 6) == (sign, sign)


@pytest.mark.parametrize("method", METHODS)
def test_a_permutation_p_is_exact_of_few_models(method: Method) -> None:
    x, y = sample(6, 7)

    def statistic(y: np.ndarray) -> float:
        return float(SCIPY[method](x, y).statistic)

    p, exact = found.permutation_p(method, x, y, 9999)
    made = stats.permutation_test((y,), statistic, permutation_type="pairings", n_resamples=10**6, alternative="two-sided")
    observed = abs(statistic(y))
    assert exact and p == pytest.approx(np.mean(np.abs(made.null_distribution) >= observed - 1e-9))
    assert p * 720 == pytest.approx(round(p * 720))


@pytest.mark.parametrize(("method", "p"), [("pearson", None), ("kendall", "exact"), ("spearman", None)])
def test_a_drawn_permutation_p_is_near_that_of_theory(method: Method, p: str | None) -> None:
    """9,999 draws: 5 standard errors of p are at most 0.025, and t's own error for Pearson and Spearman is less than that at n = 25."""
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(2, 25))
    expected = stats.kendalltau(x, y, method=p).pvalue if method == "kendall" else SCIPY[method](x, y).pvalue
    drawn, exact = found.permutation_p(method, x, y, 9999)
    assert not exact and drawn == pytest.approx(expected, abs=0.03) and drawn == found.permutation_p(method, x, y, 9999)[0]
    assert found.permutation_p(method, x, x + 1e-9 * y, 9999) == (1 / 10_000, False), "no p is 0"


@pytest.mark.parametrize("method", METHODS)
def test_kendalls_quick_permutations_are_the_slow_ones(method: Method) -> None:
    x, y = sample(15, 11)
    order, _ = found.orders(15, 9999)
    slow = found.coefficients(method, np.broadcast_to(x, order.shape), y[order])
    hits = int((np.abs(slow) >= abs(found.coefficient(method, x, y)) - 1e-10).sum())
    assert found.permutation_p(method, x, y, 9999)[0] == (hits + 1) / 10_000


def test_the_bootstrap_is_that_of_scipy() -> None:
    """Both draw 20,000 times; ends differ by less than 0.02, more than 4 of their standard errors at n = 30."""
    x, y = sample(30, 5, share=1.0, digits=6)
    made = stats.bootstrap((x, y), lambda x, y, axis: stats.pearsonr(x, y, axis=axis).statistic, paired=True, n_resamples=20_000, method="BCa", rng=1)
    assert found.bca("pearson", x, y, 20_000, "a") == pytest.approx(tuple(made.confidence_interval), abs=0.02)
    plain = np.quantile(made.bootstrap_distribution, [0.025, 0.975])
    assert abs(plain[0] - made.confidence_interval.low) > 0.02, "a percentile interval would be seen"
    assert found.bca("pearson", x, 2 * x, 999, "a") is None, "every resample is alike"


@pytest.mark.parametrize(
    ("n", "least", "true"), [(6, 0.811, 0.92), (8, 0.707, 0.85), (10, 0.632, 0.79), (12, 0.576, 0.73), (15, 0.514, 0.67), (19, 0.456, 0.61), (30, 0.361, 0.49)]
)
def test_what_n_models_can_show_is_the_table_of_the_reference(n: int, least: float, true: float) -> None:
    assert round(found.smallest_significant("pearson", n), 3) == least and round(found.detectable("pearson", n), 2) == true


def test_the_smallest_significant_rank_coefficients_are_the_published_ones() -> None:
    """Exact two-sided 5% values of rho and tau in tables of the tests: 5 need a perfect order."""
    assert [round(found.smallest_significant("spearman", n), 3) for n in (5, 6, 7, 8)] == [1.0, 0.886, 0.786, 0.738]
    assert [round(found.smallest_significant("kendall", n), 3) for n in (5, 6, 7, 8)] == [1.0, 0.867, 0.714, 0.643]
    assert found.detectable("kendall", 5) == 1.0 and found.smallest_significant("kendall", 20) == pytest.approx(0.32, abs=0.01)


def test_the_detectable_correlation_is_found_in_four_of_five_studies() -> None:
    """4,000 studies of 12 models; t decides. The reference's numbers leave out that Fisher's z lies a little above the truth (by r / 2(n - 1)), so that
    somewhat more than 80% are found: 0.83 by theory, give or take 0.03, more than 4 standard errors."""
    draw, true = np.random.default_rng(8), found.detectable("pearson", 12)
    x = draw.normal(size=(4000, 12))
    y = true * x + math.sqrt(1 - true**2) * draw.normal(size=(4000, 12))
    assert np.mean(np.abs(found.coefficients("pearson", x, y)) > found.smallest_significant("pearson", 12)) == pytest.approx(0.83, abs=0.03)


def test_what_is_not_there_is_found_once_in_twenty_studies() -> None:
    """The false-alarm rate, measured over 1,500 studies of 7 models without any relation: an exact p of at most 0.05 has a rate of 5% for Pearson's r, and
    for ranks, of which few values are possible, of at most that. Bounds leave 4 standard errors; halving a two-sided p would give 10%."""
    draw = np.random.default_rng(12)
    error = math.sqrt(0.05 * 0.95 / 1500)
    for method in METHODS:
        pairs = draw.normal(size=(1500, 2, 7))
        rate = np.mean([found.permutation_p(method, x, y, 9999)[0] <= 0.05 for x, y in pairs])
        assert rate <= 0.05 + 4 * error and (method != "pearson" or rate >= 0.05 - 4 * error), (method, rate)


def test_of_many_changes_each_interval_is_wider() -> None:
    before, after = sample(20, 1, digits=6), sample(20, 2, digits=6)
    one, many = (found.change("pearson", before, after, 9999, "a", count) for count in (1, 20))
    assert one is not None and many is not None and many[0] < one[0] < one[1] < many[1]


def test_standard_errors_of_rank_coefficients_are_the_published_ones() -> None:
    """Bonett and Wright 2000: sqrt((1 + rho^2 / 2) / (n - 3)); Fieller, Hartley and Pearson 1957: sqrt(0.437 / (n - 4))."""
    low, high = found.interval("spearman", 0.5, 19)
    assert (math.atanh(high) - math.atanh(low)) / 2 / stats.norm.ppf(0.975) == pytest.approx(math.sqrt(1.125 / 16))
    low, high = found.interval("kendall", 0.5, 19)
    assert (math.atanh(high) - math.atanh(low)) / 2 / stats.norm.ppf(0.975) == pytest.approx(math.sqrt(0.437 / 15))
