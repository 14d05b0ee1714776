"""The tests of recorded noise: noise as it should be passes, each fault is seen by the test that is made for it, and every statistic is the closed form's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from tasks.privacy.noises.banded import Banded
from tasks.training.recorded_noise import RecordedNoise

FALSE_ALARM = 1e-6
SHAPES = {"a": (40, 30), "b": (700,)}
SIZE = 40 * 30 + 700
Floats = NDArray[np.float64]


def recorded(noise: Floats, coefficients: tuple[float, ...] = (1.0,)) -> RecordedNoise:
    """Of (steps, SIZE) numbers."""
    found = RecordedNoise(coefficients)
    for row in torch.from_numpy(noise).float():
        found.add({"a": row[: 40 * 30].reshape(SHAPES["a"]).clone(), "b": row[40 * 30 :].clone()})
    return found


def normal(steps: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(steps, SIZE))


def seen(noise: Floats, coefficients: tuple[float, ...] = (1.0,)) -> set[str]:
    return {name for name, p in recorded(noise, coefficients).p_values().items() if p < FALSE_ALARM}


def laplace(steps: int) -> Floats:
    """Of deviation 1."""
    return np.random.default_rng(1).laplace(scale=2**-0.5, size=(steps, SIZE))


def repeated(steps: int) -> Floats:
    """The fifth step draws what the second drew."""
    noise = normal(steps)
    noise[4] = noise[1]
    return noise


FAULTS: dict[str, tuple[Callable[[int], Floats], set[str]]] = {
    "none": (normal, set()),
    "halved": (lambda steps: 0.5 * normal(steps), {"variance", "law"}),
    "a tenth too much": (lambda steps: 1.1 * normal(steps), {"variance"}),
    "removed": (lambda steps: np.zeros((steps, SIZE)), {"variance", "law"}),
    "moved": (lambda steps: normal(steps) + 0.1, {"mean"}),
    "another law": (laplace, {"law"}),
    "a step drawn twice": (repeated, {"steps"}),
    "one draw for all": (lambda steps: np.repeat(normal(1), steps, axis=0), {"steps"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_seen_by_its_test(fault: str) -> None:
    made, expected = FAULTS[fault]
    found = seen(made(8))
    assert expected <= found and bool(found) == bool(expected)


def test_statistics_are_those_of_the_closed_form() -> None:
    noise = normal(5, seed=3)
    made = recorded(noise)
    found, flat = made.p_values(), noise.astype(np.float32).astype(np.float64)
    assert (made.steps, made.numbers) == (5, 5 * SIZE) and made.squares == pytest.approx((flat**2).sum())
    chi = stats.chi2(5 * SIZE)
    assert found["variance"] == pytest.approx(2 * min(chi.cdf((flat**2).sum()), chi.sf((flat**2).sum())), rel=1e-6)
    assert found["mean"] == pytest.approx(2 * stats.norm.sf(abs(flat.sum()) / np.sqrt(5 * SIZE)), rel=1e-6)
    assert found["law"] == pytest.approx(stats.kstest(flat[0], "norm").pvalue, rel=1e-6)
    sums = flat.cumsum(axis=0)
    along = [sums[step - 1] @ flat[step] / np.linalg.norm(sums[step - 1]) for step in range(1, 5)]
    assert found["steps"] == pytest.approx(2 * stats.norm.sf(abs(sum(along)) / 2), rel=1e-4)


def test_p_values_of_true_noise_are_uniform() -> None:
    """Each by Kolmogorov and Smirnov's test, false alarm 1e-6 apiece; the numbers are few, where a normal approximation would already be off."""
    found: dict[str, list[float]] = {}
    for seed in range(300):
        made, draws = RecordedNoise(), np.random.default_rng(seed).normal(size=(3, 12))
        for row in torch.from_numpy(draws).float():
            made.add({"a": row.clone()})
        for name, p in made.p_values().items():
            found.setdefault(name, []).append(p)
    assert set(found) == {"variance", "mean", "law", "steps"}
    assert all(stats.kstest(values, "uniform").pvalue > FALSE_ALARM for values in found.values())


def test_correlated_noise_is_made_independent_first() -> None:
    """y = C^-1 z by a solver: it passes with the coefficients of C and with no others."""
    z, coefficients = normal(9), Banded(kind="banded", bands=4).coefficients
    factor = sum(np.diag(np.full(9 - back, value), -back) for back, value in enumerate(coefficients))
    y = np.linalg.solve(factor, z).astype(np.float64)
    assert seen(y, coefficients) == set()
    assert recorded(y, coefficients).squares == pytest.approx((z**2).sum(), rel=1e-5)
    assert {"variance", "steps"} <= seen(y) and "variance" in seen(z, coefficients) and "variance" in seen(y, coefficients[:2])


def test_one_step_says_nothing_of_steps() -> None:
    assert set(recorded(normal(1)).p_values()) == {"variance", "mean", "law"}


def test_a_large_step_is_looked_at_in_part() -> None:
    made = RecordedNoise()
    made.add({"a": torch.randn(250_001, generator=torch.Generator().manual_seed(0))})
    assert made.numbers == 250_001 and 80_000 < len(made._first) <= 100_000 and min(made.p_values().values()) > FALSE_ALARM
