"""The price of tuning: a search by random stopping costs what Papernot and Steinke (ICLR 2022) say, and only where it can be counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chisquare, logser

from specs.soundness import findings
from tasks.core.rules import Finding
from tasks.privacy.accountant import accountants
from tasks.privacy.accounting import bounds
from tasks.privacy.mechanism import Mechanism, Release, Repetition
from tasks.privacy.search import Search
from tests.privacy.settings import high, sampled

TABLE = {
    5: {1.0: 3.686, math.inf: 3.284, 0.0: 3.243},
    10: {1.0: 4.103, math.inf: 4.329, 0.0: 3.523},
    50: {1.0: 4.942, math.inf: 11.277, 0.0: 4.081},
}
"""Setting A by rdp: mean number of trainings to the shape of its law (geometric 1, Poisson infinity, logarithmic 0)."""

SINGLE = 2.101
OVER = {"training.optimizer.learning_rate": (0.001, 0.01)}
FALSE_ALARM = 1e-6


def search(law: str, mean: float) -> Search:
    return Search.model_validate({"kind": "random-stopping", "over": OVER, "law": law, "mean_trials": mean})


@pytest.mark.parametrize(("mean", "shape"), [(mean, shape) for mean, row in TABLE.items() for shape in row])
def test_a_search_costs_what_the_table_says(mean: float, shape: float) -> None:
    mechanism = sampled("A", repetition=Repetition(float(mean), shape))
    found = bounds(mechanism, 1e-5)
    assert set(found) == {"rdp"}
    assert found["rdp"].high == pytest.approx(TABLE[int(mean)][shape], abs=1e-2)


@pytest.mark.parametrize(("law", "shape"), [("geometric", 1.0), ("logarithmic", 0.0)])
def test_the_block_of_a_spec_speaks_of_the_same_law(law: str, shape: float) -> None:
    assert search(law, 10).repetition == Repetition(10.0, shape)
    assert high("rdp", sampled("A", repetition=search(law, 10).repetition)) == pytest.approx(TABLE[10][shape], abs=1e-2)


def test_a_search_costs_more_than_one_training_and_less_than_all_of_them() -> None:
    single = high("rdp", sampled("A"))
    composed = high("rdp", Mechanism((Release(1.0, 0.01, 1000),) * 10))
    assert single == pytest.approx(SINGLE, abs=1e-3)
    assert composed == pytest.approx(6.713, abs=1e-2)
    assert composed == pytest.approx(high("rdp", Mechanism((Release(1.0, 0.01, 10_000),))), abs=1e-6)
    for shape in TABLE[10]:
        assert single + 1 < high("rdp", sampled("A", repetition=Repetition(10.0, shape))) < composed


def test_a_search_of_many_costs_more_than_one_of_few() -> None:
    for shape in (1.0, 0.0, math.inf):
        few, some, many = (high("rdp", sampled("A", repetition=Repetition(float(mean), shape))) for mean in TABLE)
        assert few < some < many


@pytest.mark.parametrize("accountant", ["pld", "prv"])
def test_only_the_accountant_that_knows_the_price_may_report_a_search(accountant: str) -> None:
    assert accountants()[accountant].unsupported(sampled("A", repetition=Repetition(10.0, 1.0)))
    assert [finding.rule.id for finding in refusals(accountant)] == ["PRIV-19"]
    assert not refusals("rdp")
    assert not refusals(accountant, searched=False)


def refusals(accountant: str, searched: bool = True) -> list[Finding]:
    privacy = {"kind": "dp-sgd", "accountant": accountant, "sampler": {"kind": "poisson"}, "noise": {"kind": "constant"}}
    trial = {"privacy": privacy, "data": {"public_size": 1000}, "search": {"kind": "random-stopping"} if searched else None}
    return [finding for finding in findings(trial) if finding.rule.verdict == "refuse"]


@pytest.mark.parametrize("law", ["geometric", "logarithmic"])
@pytest.mark.parametrize("mean", [1.5, 10.0])
def test_the_number_of_trainings_follows_the_law_that_is_charged_for(law: str, mean: float) -> None:
    block = search(law, mean)
    counts = np.array([block.count(key) for key in range(4000)])
    assert counts.min() == 1
    assert misfit(counts, law, mean) > FALSE_ALARM
    assert misfit(counts, law, 2 * mean) < FALSE_ALARM, "a law of another mean is not told apart"


def misfit(counts: np.ndarray[tuple[int], np.dtype[np.int64]], law: str, mean: float) -> float:
    """p-value of a chi-square test of counts against a law of that mean, in cells of at least about 20."""
    ks = np.arange(1, 400)
    if law == "geometric":
        masses = (1 / mean) * (1 - 1 / mean) ** (ks - 1)
    else:
        grid = np.linspace(1e-6, 1 - 1e-6, 200_000)
        masses = logser.pmf(ks, grid[np.argmin(np.abs(-grid / ((1 - grid) * np.log1p(-grid)) - mean))])
    last = int(np.argmax(len(counts) * (1 - np.cumsum(masses)) < 20))
    expected = np.append(masses[:last], 1 - masses[:last].sum()) * len(counts)
    seen = np.append(np.bincount(counts, minlength=last + 2)[1 : last + 1], (counts > last).sum())
    return float(chisquare(seen, expected).pvalue)
