"""What the test of the mechanism makes of what was found: its rows, their conditions, when it says nothing, and which test failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from tasks.core.measures import Row
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.training.mechanism_check import OF_RECORD
from tests.attacks.checked import LINEAR, failed, judged, rows_of
from tests.conftest import NewRun, Prepare
from tests.training.private import block, config

LONGER, FURTHER = "a clipped contribution is longer than the clip norm", "one unit moves the sum further than the account allows"
OTHER_SUM = "the clipped sum is not that of contributions added up one by one"


def facts(**changes: Any) -> dict[str, Any]:
    """Those of a mechanism in which nothing is wrong."""
    noise = {"squares": 10_000.0, "numbers": 10_000, "p_values": {"variance": 0.6, "mean": 0.2, "law": 0.9}, "rounding": 1e-5, "sum": 1e-7}
    moved = {"longest": 0.9999, "sums": 0.97, "counts": None, "alone": 20, "units": 8, "rounding": 1e-6}
    return {
        "private": True,
        "record": dict.fromkeys(OF_RECORD, 1),
        "conditions": {"unit": "example", "adjacency": "add-remove", "delta": "1e-05", "accountant": "pld"},
        "release": "step",
        "steps": 4,
        "own_twin": False,
        "noise": {**noise, **changes.pop("noise", {})},
        "moved": {**moved, **changes.pop("moved", {})} if changes.get("moved", {}) is not None else None,
        "follows_from_the_records": [],
        **changes,
    }


def rows(tmp_path: Path, record: dict[str, Any] | None = None, **changes: Any) -> dict[str, Row]:
    return rows_of(facts(**changes), {**dict.fromkeys(OF_RECORD, 1), **(record or {})}, tmp_path)


def test_rows_carry_their_numbers_and_conditions(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert {name: (row.value, row.n, row.direction) for name, row in found.items()} == {
        "noise_ratio": (1.0, 10_000, "none"),
        "noise_p_value": (pytest.approx(0.6), 10_000, "none"),
        "sensitivity_ratio": (0.97, 8, "lower"),
        "violations": (0.0, 8, "lower"),
    }
    for row in found.values():
        assert (row.status, row.reason, row.lowest) == ("ok", None, 0.0)
        assert row.conditions == {"unit": "example", "adjacency": "add-remove", "delta": "1e-05", "protocol": "the first 4 steps at the first weights"}


def test_the_interval_of_the_ratio_is_exact(tmp_path: Path) -> None:
    """A deviation of 1 stands at an end of it where the sum of squares is the quantile of its law."""
    for share, end in ((0.975, "low"), (0.025, "high")):
        squares = float(stats.chi2.ppf(share, 50))
        row = rows(tmp_path, noise={"squares": squares, "numbers": 50})["noise_ratio"]
        assert getattr(row, end) == pytest.approx(1.0) and row.interval == "items" and row.value == pytest.approx((squares / 50) ** 0.5)


def test_the_smallest_of_several_tests_counts_as_often_as_there_are_tests(tmp_path: Path) -> None:
    p_values = {"variance": 0.5, "mean": 3e-7, "law": 0.5, "steps": 0.5}
    found = rows(tmp_path, noise={"p_values": p_values})
    assert found["noise_p_value"].value == pytest.approx(1.2e-6) and failed(found) == []
    found = rows(tmp_path, noise={"p_values": {**p_values, "mean": 2e-7}})
    assert found["noise_p_value"].value == pytest.approx(8e-7) and failed(found) == ["the noise is not centred"]


def test_noise_that_rounding_hides_is_told_nothing_of(tmp_path: Path) -> None:
    found = rows(tmp_path, noise={"rounding": 0.021, "p_values": {"variance": 0.0}})
    assert {name for name, row in found.items() if row.status == "insufficient_evidence"} == {"noise_ratio", "noise_p_value", "violations"}
    assert found["noise_ratio"].reason == "two ways to add up the clipped sums are 0.021 deviations of the noise apart, and 0.02 could be told from noise"
    other = rows(tmp_path, noise={"rounding": 500.0, "sum": 0.5})
    assert other["noise_ratio"].status == "insufficient_evidence" and failed(other) == [OTHER_SUM]


def test_steps_in_which_nobody_took_part_say_nothing_of_sensitivity(tmp_path: Path) -> None:
    found = rows(tmp_path, moved=None)
    for name in ("sensitivity_ratio", "violations"):
        assert (found[name].status, found[name].reason) == ("insufficient_evidence", "no record took part in the first 4 steps: raise steps")
    assert found["noise_ratio"].status == "ok"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moved": {"longest": 1 + 2e-6}}, LONGER),
        ({"moved": {"sums": 1 + 3e-6}}, FURTHER),
        ({"moved": {"counts": 1.5}}, "one unit moves the count further than the account allows"),
        ({"follows_from_the_records": ["the divisor", "the rate"]}, "with a unit less there is another value of the divisor, the rate"),
        ({"record": {"noise_multiplier": 2}}, "the trained model's record says another noise_multiplier"),
    ],
)
def test_each_test_fails_by_itself(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    found = rows(tmp_path, changes.pop("record", None), **changes)
    assert failed(found) == [words]


def test_a_sum_may_move_by_rounding_beyond_its_sensitivity(tmp_path: Path) -> None:
    assert failed(rows(tmp_path, moved={"sums": 1 + 3e-6, "rounding": 2.1e-6})) == []


def test_a_trial_without_privacy_has_nothing_to_test(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    settings = config(LINEAR, "loop").model_copy(update={"privacy": NoPrivacy(kind="none")})
    found = judged(settings, prepare(block("intent")), new_run(), tmp_path)
    assert {(row.status, row.value) for row in found.values()} == {("unsupported", None)} and len(found) == 4
    assert all("without a privacy mechanism" in (row.reason or "") for row in found.values())
