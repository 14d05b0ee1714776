"""The ceiling of every attack's AUC: exact for one Gaussian, never below it, and above what attacks on a simulated mechanism reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tasks.privacy.ceiling import auc_ceiling, false_negatives
from tasks.privacy.mechanism import Mechanism, Release, Repetition


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 8.0])
def test_one_gaussian_has_the_ceiling_of_its_trade_off(sigma: float) -> None:
    """AUC of N(1/sigma, 1) against N(0, 1) is Phi(1 / (sigma sqrt 2)); the bound lies on it or a little above."""
    exact = float(norm.cdf(1 / sigma / 2**0.5))
    found = auc_ceiling(Mechanism((Release(sigma, None, 1),)))
    assert found is not None and exact <= found <= exact + 2e-3


def test_composition_adds_in_squares() -> None:
    """Sixteen Gaussians of sigma 4 are one of sigma 1; adding epsilons would give far more."""
    many, one = (auc_ceiling(Mechanism((Release(*release),))) for release in ((4.0, None, 16), (1.0, None, 1)))
    assert many == pytest.approx(one, abs=2e-3)


def test_sampling_lowers_it_and_simulated_attacks_stay_below() -> None:
    """The best attack on the sum itself, 40,000 draws with and without the record: its AUC less four standard errors is no more than the ceiling."""
    sigma, rate, steps = 1.0, 0.2, 5
    ceiling = auc_ceiling(Mechanism((Release(sigma, rate, steps),)))
    unsampled = auc_ceiling(Mechanism((Release(sigma, None, steps),)))
    assert ceiling is not None and unsampled is not None and 0.5 < ceiling < unsampled
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(2, 40_000, steps)) * sigma
    noise[1] += draw.random((40_000, steps)) < rate
    ratio = np.log1p(rate * np.expm1((noise - 0.5) / sigma**2)).sum(axis=2)
    reached = roc_auc_score(np.repeat([0, 1], 40_000), ratio.ravel())
    assert reached - 4 * 0.002 <= ceiling <= reached + 0.02  # near what is possible, so not an empty bound


def test_half_the_noise_would_be_seen_above_it() -> None:
    ceiling = auc_ceiling(Mechanism((Release(2.0, None, 1),)))
    planted = float(norm.cdf(1 / 2**0.5))  # sigma 1 where 2 was claimed
    assert ceiling is not None and planted > ceiling + 0.05


def test_a_search_has_none() -> None:
    assert auc_ceiling(Mechanism((Release(1.0, 0.01, 10),), repetition=Repetition(5, 1.0))) is None


def test_a_perfect_guarantee_leaves_a_coin() -> None:
    places = np.linspace(0, 1, 1001)
    assert np.allclose(false_negatives([(0.0, 0.0)], places), 1 - places)
