"""Who answers in time."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.federated.stragglers import Stragglers, asked_size, seconds, speeds, survivors


def test_nobody_is_dropped_without_a_reason() -> None:
    plain = Stragglers()
    assert not plain.active and asked_size(10, plain) == 10
    assert survivors(np.array([1e9, 1.0, 5.0]), 2, plain).all(), "a design of random size may draw more than it expects"


def test_the_fastest_are_kept_and_ties_go_by_place() -> None:
    more = Stragglers(over_selection=1.5)
    assert more.active and survivors(np.array([3.0, 1.0, 2.0, 1.0, 9.0]), 3, more).tolist() == [False, True, True, True, False]
    assert survivors(np.ones(4), 2, more).tolist() == [True, True, False, False]


def test_a_deadline_drops_the_late_also_among_the_fastest() -> None:
    strict = Stragglers(over_selection=2, deadline_seconds=2)
    assert survivors(np.array([3.0, 1.0, 2.0]), 3, strict).tolist() == [False, True, True]
    assert not survivors(np.array([3.0]), 1, Stragglers(deadline_seconds=2)).any()


@pytest.mark.parametrize(("size", "factor", "asked"), [(10, 1.1, 11), (10, 1.3, 13), (7, 1.5, 11), (3, 1.0, 3)])
def test_how_many_are_asked(size: int, factor: float, asked: int) -> None:
    assert asked_size(size, Stragglers(over_selection=factor)) == asked


def test_speeds_are_lognormal_the_same_in_every_round_and_scale_the_work() -> None:
    found = speeds(20_000, 0.6, 3)
    assert np.array_equal(found, speeds(20_000, 0.6, 3)) and not np.array_equal(found, speeds(20_000, 0.6, 4))
    assert np.log(found).mean() == pytest.approx(0, abs=0.02) and np.log(found).std() == pytest.approx(0.6, abs=0.02)
    assert seconds(np.array([2.0, 1.0]), np.array([100, 10]), 0.005).tolist() == [1.0, 0.05]
    assert (speeds(5, 0.0, 1) == 1).all()
