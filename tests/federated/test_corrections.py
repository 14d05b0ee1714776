"""Weights of updates, worked out by hand; and the one number that says how many updates they are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.federated.correction import CORRECTIONS, Correction
from tasks.federated.participation import effective_cohort_size
from tasks.federated.selection import Cohort

SHARES = np.array([0.1, 0.3])
COHORT = Cohort(np.array([2, 5]), np.array([1, 2]), np.array([0.2, 0.5]), "exact")
NOBODY = Cohort(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), "exact")
UNKNOWN = Cohort(np.array([2, 5]), np.array([1, 1]), None, "none: by loss")


def weights(kind: str, cohort: Cohort = COHORT, **fields: Any) -> list[float]:
    block = CORRECTIONS.parse({"kind": kind, **fields})
    assert isinstance(block, Correction)
    found: list[float] = block.weights(cohort, SHARES[: len(cohort.clients)], 4).tolist()
    return found


def test_weights_are_those_of_the_formulas() -> None:
    assert weights("none") == pytest.approx([0.1 / 0.7, 0.6 / 0.7])
    assert weights("horvitz-thompson") == pytest.approx([0.1 / 0.2, 2 * 0.3 / 0.5])
    assert weights("hajek") == pytest.approx([0.5 / 1.7, 1.2 / 1.7])
    assert weights("equal") == pytest.approx([1 / 4, 2 / 4])


def test_a_cap_is_in_multiples_of_an_equal_weight() -> None:
    assert weights("horvitz-thompson", max_weight=2.4) == pytest.approx([0.5, 0.6])
    assert weights("hajek", max_weight=2.0) == pytest.approx([0.5 / 1.7, 0.5])


@pytest.mark.parametrize("kind", ["none", "horvitz-thompson", "hajek", "equal"])
def test_an_empty_cohort_has_no_weights(kind: str) -> None:
    assert weights(kind, NOBODY) == []


@pytest.mark.parametrize("kind", ["horvitz-thompson", "hajek"])
def test_without_probabilities_there_is_nothing_to_divide_by(kind: str) -> None:
    with pytest.raises(ValueError, match="does not know"):
        weights(kind, UNKNOWN)


def test_the_effective_size_is_the_size_of_equal_weights_and_less_of_others() -> None:
    assert effective_cohort_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_cohort_size(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)
    assert 1 < effective_cohort_size(np.array([3.0, 1.0])) < 2 and effective_cohort_size(np.zeros(2)) == 0
