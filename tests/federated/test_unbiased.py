"""On known updates the mean over draws is that of all devices where it is said to be, and is not where it is not.

A quadratic of device i with centre c_i, met from the model x, has the update c_i - x: the target is the sum of a_i (c_i - x). Each check is
of the mean over 10,000 draws in each of three dimensions, at five standard errors: a false alarm in less than one of 100,000 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.federated.correction import CORRECTIONS, Correction
from tasks.federated.history import History
from tasks.federated.selection import SELECTIONS, Selection, View
from tests.federated.views import told

DEVICES, COHORT, DRAWS = 30, 6, 10_000
ACTIVITY = np.sort(np.random.default_rng(0).integers(1, 60, size=DEVICES))
SHARES = ACTIVITY / ACTIVITY.sum()
CENTRES = np.random.default_rng(1).normal(size=(DEVICES, 3)) + ACTIVITY[:, None] / 30  # who is active wants something else
TARGET = SHARES @ CENTRES


def distances(selection: dict[str, Any], correction: dict[str, Any]) -> NDArray[np.float64]:
    """How many standard errors the mean update lies from the target, by dimension."""
    strategy, rule = SELECTIONS.parse(selection), CORRECTIONS.parse(correction)
    assert isinstance(strategy, Selection) and isinstance(rule, Correction)
    view = View(0, ACTIVITY, np.ones(DEVICES, dtype=bool), History(DEVICES), told(DEVICES))
    found = np.zeros((DRAWS, 3))
    generator = np.random.default_rng(2)
    for draw in range(DRAWS):
        cohort = strategy.draw(view, COHORT, generator)
        found[draw] = rule.weights(cohort, SHARES[cohort.clients], COHORT) @ CENTRES[cohort.clients]
    apart: NDArray[np.float64] = np.abs(found.mean(axis=0) - TARGET) / (found.std(axis=0) / DRAWS**0.5)
    return apart


POISSON = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}
FIXED = {"kind": "activity-proportional", "alpha": 0.5, "design": "fixed-size"}
THOMPSON = {"kind": "horvitz-thompson"}


@pytest.mark.parametrize(
    ("selection", "correction"),
    [
        ({"kind": "uniform"}, THOMPSON),
        (POISSON, THOMPSON),
        (FIXED, THOMPSON),
        ({"kind": "multinomial"}, {"kind": "equal"}),
        ({"kind": "multinomial", "alpha": 0.5}, THOMPSON),
        ({"kind": "clustered-by-size"}, {"kind": "equal"}),
    ],
)
def test_what_is_said_to_be_unbiased_is(selection: dict[str, Any], correction: dict[str, Any]) -> None:
    assert distances(selection, correction).max() < 5


@pytest.mark.parametrize("selection", [POISSON, FIXED, {"kind": "multinomial"}])
def test_plain_weights_after_selection_by_activity_are_not(selection: dict[str, Any]) -> None:
    assert distances(selection, {"kind": "none"}).min() > 5


def test_nor_are_capped_weights_or_equal_ones_after_a_uniform_draw() -> None:
    assert distances({"kind": "uniform"}, {"kind": "horvitz-thompson", "max_weight": 1.0}).max() > 5
    assert distances({"kind": "uniform"}, {"kind": "equal"}).max() > 5
