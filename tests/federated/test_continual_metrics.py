"""Metrics of learning from windows on a matrix made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.federated.continual_metrics import area_under_curve, average_performance, backward_transfer, forgetting, forward_transfer, rounds_to_catch_up
from tasks.federated.participation import coverage, participation_gini, rounds_to_target

ACCURACY = np.array([[0.8, 0.2, 0.1], [0.6, 0.9, 0.3], [0.5, 0.7, 0.7]])
"""R[t, j]: the first window falls from 0.8 to 0.5, the second from 0.9 to 0.7."""


def test_higher_is_better() -> None:
    assert average_performance(ACCURACY) == pytest.approx((0.5 + 0.7 + 0.7) / 3)
    assert forgetting(ACCURACY, "higher") == pytest.approx((0.3 + 0.2) / 2)
    assert backward_transfer(ACCURACY, "higher") == pytest.approx((-0.3 - 0.2) / 2)
    assert forward_transfer(ACCURACY, np.array([0.1, 0.1, 0.1]), "higher") == pytest.approx((0.1 + 0.2) / 2)


def test_lower_is_better_keeps_the_meaning() -> None:
    loss = 1 - ACCURACY
    for metric in (forgetting, backward_transfer):
        assert metric(loss, "lower") == pytest.approx(metric(ACCURACY, "higher"))


def test_forgetting_is_from_the_best_and_transfer_from_right_after_training() -> None:
    later_best = np.array([[0.4, 0.0, 0.0], [0.8, 0.5, 0.0], [0.6, 0.5, 0.5]])
    assert forgetting(later_best, "higher") == pytest.approx((0.2 + 0.0) / 2)
    assert backward_transfer(later_best, "higher") == pytest.approx((0.2 + 0.0) / 2)


def test_the_area_weighs_checks_by_the_rounds_between_them() -> None:
    assert area_under_curve(np.array([0, 10, 20]), np.array([0.0, 1.0, 1.0])) == pytest.approx(0.75)
    assert area_under_curve(np.array([0, 10, 19, 20]), np.array([0.0, 1.0, 1.0, 1.0])) == pytest.approx(0.75)
    assert area_under_curve(np.array([7]), np.array([0.3])) == 0.3


@pytest.mark.parametrize(("hold", "found"), [(1, 20), (2, 30), (3, None)])
def test_catching_up_is_held(hold: int, found: int | None) -> None:
    rounds, own, reference = np.array([10, 20, 25, 30, 40]), np.array([0.9, 0.5, 0.2, 0.6, 0.6]), np.full(5, 0.55)
    assert rounds_to_catch_up(rounds, own, reference, 15, 0.05, hold, "higher") == found


def test_coverage_gini_and_rounds_to_a_target() -> None:
    assert coverage(np.array([0, 2, 1, 0]), np.array([70, 10, 10, 10])) == (0.5, 0.2)
    assert participation_gini(np.array([3, 3, 3])) == pytest.approx(0) and participation_gini(np.array([0, 0, 0, 9])) == pytest.approx(0.75)
    pairs = np.abs(np.subtract.outer(np.array([0, 1, 5, 2]), np.array([0, 1, 5, 2]))).mean() / 2 / 2
    assert participation_gini(np.array([0, 1, 5, 2])) == pytest.approx(pairs), "half the mean difference over the mean"
    assert rounds_to_target(np.array([0, 5, 10]), np.array([9.0, 4.0, 3.0]), 4.0, "lower") == 5
    assert rounds_to_target(np.array([0, 5, 10]), np.array([0.1, 0.2, 0.3]), 0.4, "higher") is None
