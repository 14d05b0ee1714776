"""Calibration: the least noise that keeps a target, never a hair above it, or one line that says why not."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.privacy.accountant import OutOfReach
from tasks.privacy.calibrating import TOLERANCE, CalibrationError, calibrate
from tasks.privacy.mechanism import Adjacency, Mechanism, Release, Repetition
from tests.privacy.settings import high

CHECKOUT = Path(__file__).resolve().parents[2]


def training(rate: float | None, steps: int, adjacency: Adjacency = "add-remove", repetition: Repetition | None = None) -> Callable[[float], Mechanism]:
    """A training by its noise multiplier."""
    return lambda noise: Mechanism((Release(noise, rate, steps),), adjacency, repetition)


OF_A = training(0.01, 1000)


@pytest.mark.parametrize(("target", "noise"), [(1, 1.4146), pytest.param(3, 0.8136, marks=pytest.mark.slow), pytest.param(8, 0.5863, marks=pytest.mark.slow)])
def test_the_noise_is_that_of_the_table_and_a_little_less_would_miss_the_target(target: float, noise: float) -> None:
    found = calibrate(OF_A, target, 1e-5, "pld")
    assert found == pytest.approx(noise, abs=2e-3)
    assert high("pld", OF_A(found)) <= target
    assert high("pld", OF_A(0.99 * found)) > target


def drawn() -> list[tuple[str, Callable[[float], Mechanism], float, float]]:
    """A dozen trainings with targets, drawn once and for all: half by pld, others replaced, searched, unsampled."""
    draw = np.random.default_rng(20)

    def one(
        accountant: str, adjacency: Adjacency = "add-remove", law: float | None = None, poisson: bool = True
    ) -> tuple[str, Callable[[float], Mechanism], float, float]:
        rate, steps = float(10 ** draw.uniform(-3, -0.7)), int(10 ** draw.uniform(1, 3.7))
        delta, target = float(10 ** draw.uniform(-8, -3)), float(10 ** draw.uniform(-0.5, 1))
        repetition = None if law is None else Repetition(float(draw.uniform(2, 50)), law)
        return accountant, training(rate if poisson else None, steps if poisson else 1 + steps // 100, adjacency, repetition), delta, target

    plain = [one("pld") for _ in range(5)]
    others = [one("pld", "replace-one"), one("pld", "replace-one"), one("pld", "zero-out", poisson=False), one("prv")]
    return [*plain, *others, *(one("rdp", law=law) for law in (0.0, 1.0, math.inf))]


@pytest.mark.parametrize(
    ("accountant", "mechanism_of", "delta", "target"),
    [pytest.param(*case, id=f"{n}-{case[0]}", marks=[pytest.mark.slow] if n in (1, 2, 3) else []) for n, case in enumerate(drawn())],
)
def test_epsilon_is_never_above_its_target_and_hardly_below(accountant: str, mechanism_of: Callable[[float], Mechanism], delta: float, target: float) -> None:
    found = high(accountant, mechanism_of(calibrate(mechanism_of, target, delta, accountant)), delta)
    assert target * (1 - TOLERANCE) <= found <= target


def test_every_release_of_a_schedule_is_counted() -> None:
    noises = (1.0, 0.9, 0.8)

    def falling(noise: float) -> Mechanism:
        return Mechanism(tuple(Release(noise * factor, 0.01, 300) for factor in noises))

    found = calibrate(falling, 3.0, 1e-5, "rdp")
    assert 3.0 * (1 - TOLERANCE) <= high("rdp", falling(found)) <= 3.0
    assert high("rdp", training(0.01, 900)(found)) < 2.9, "the first noise alone would claim less"


def test_a_target_that_every_noise_meets_takes_the_least() -> None:
    found = calibrate(training(1e-4, 1), 900.0, 1e-3, "rdp")
    assert found == pytest.approx(0.05)


def test_where_epsilon_jumps_over_the_target_the_least_noise_beyond_the_jump_is_taken() -> None:
    mechanism_of, target, delta = training(0.00094, 12), 0.16666666, 3.25e-9
    noise = calibrate(mechanism_of, target, delta, "rdp")
    assert high("rdp", mechanism_of(noise), delta) < target * (1 - TOLERANCE)
    assert high("rdp", mechanism_of(noise / 1.001), delta) > target


def one_line(error: BaseException) -> bool:
    return "\n" not in str(error) and 20 < len(str(error)) < 300


@pytest.mark.parametrize(("target", "delta", "accountant"), [(1e-9, 1e-9, "pld"), (1e-9, 1e-9, "rdp"), (5e-3, 1e-5, "prv")])
def test_a_target_out_of_reach_is_one_line(target: float, delta: float, accountant: str) -> None:
    with pytest.raises(CalibrationError, match=f"target_epsilon {target:g} ") as caught:
        calibrate(OF_A, target, delta, accountant)
    assert one_line(caught.value)


@pytest.mark.parametrize("accountant", ["pld", "rdp"])
def test_an_absurd_target_gets_absurd_noise_or_one_line(accountant: str) -> None:
    """By the central limit a noise of 2,964 gives A an epsilon of 1e-4."""
    try:
        noise = calibrate(OF_A, 1e-4, 1e-5, accountant)
    except CalibrationError as error:
        assert one_line(error)
    else:
        assert noise > 2900 and high(accountant, OF_A(noise)) <= 1e-4


def test_a_delta_out_of_reach_is_one_line() -> None:
    with pytest.raises(OutOfReach, match="raise privacy") as caught:
        calibrate(OF_A, 1.0, 1e-20, "pld")
    assert one_line(caught.value)
    assert high("rdp", OF_A(calibrate(OF_A, 1.0, 1e-20, "rdp")), 1e-20) <= 1.0


def test_the_command_tells_an_absurd_target_in_one_line(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    data = "{kind: synthetic-assistant, examples: 100, task: intent, public_size: 90}"
    spec.write_text(
        f"kind: dp-training\nname: absurd\ndata: {data}\nmodel: {{kind: linear}}\nprivacy: {{kind: dp-sgd, target_epsilon: 1.0e-9, delta: 1.0e-9}}\n"
    )
    command = [sys.executable, "-m", "pipelines.cli.main", "plan", str(spec)]
    environment = {**os.environ, "ASSAY_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2, done.stderr
    (told,) = done.stderr.splitlines()
    assert "target_epsilon 1e-09" in told and "Traceback" not in done.stdout
