"""Who can be asked: a function of (seed, round, device), with the stated probabilities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import binomtest

from tasks.federated.availability import AVAILABILITIES, Availability

ACTIVITY = np.arange(1, 41)
ROUNDS = 2000
KINDS: dict[str, dict[str, Any]] = {
    "always": {},
    "bernoulli": {"probability": 0.3},
    "activity-tied": {"lowest": 0.1, "highest": 0.9},
    "diurnal": {"rounds_per_day": 8, "mean": 0.5, "amplitude": 0.4},
    "markov": {"on_to_off": 0.2, "off_to_on": 0.05},
}


def block(kind: str, **fields: Any) -> Availability:
    found = AVAILABILITIES.parse({"kind": kind, **(fields or KINDS.get(kind, {}))})
    assert isinstance(found, Availability)
    return found


def table(kind: str, rounds: int = ROUNDS, seed: int = 0) -> NDArray[np.bool_]:
    """(rounds, N) who could be asked."""
    one = block(kind)
    return np.stack([one.available(number, ACTIVITY, seed) for number in range(rounds)])


@pytest.mark.parametrize("kind", KINDS)
def test_any_round_alone_and_in_any_order_is_as_in_a_row(kind: str) -> None:
    row = table(kind, 60)
    for number in (59, 3, 17, 17, 0, 58):
        assert np.array_equal(block(kind).available(number, ACTIVITY, 0), row[number])
    mixed = block(kind)
    for number in (40, 2, 41, 39):
        assert np.array_equal(mixed.available(number, ACTIVITY, 0), row[number])
    if kind != "always":
        assert not np.array_equal(row, table(kind, 60, seed=1))


def test_bernoulli_devices_are_on_with_their_probability_and_independent() -> None:
    """40 exact tests at 0.01 / 40: a false alarm in one of a hundred seeds; the seed is fixed."""
    found = table("bernoulli")
    assert min(binomtest(int(count), ROUNDS, 0.3).pvalue for count in found.sum(axis=0)) > 0.01 / 40
    assert min(binomtest(int(count), ROUNDS, 0.35).pvalue for count in found.sum(axis=0)) < 0.01 / 40, "another probability is noticed"
    together = np.corrcoef(found.T.astype(float)) - np.eye(40)
    assert np.abs(together).max() < 0.11


def test_tied_devices_are_on_the_more_often_the_more_active_they_are() -> None:
    share = table("activity-tied").mean(axis=0)
    assert share[0] == pytest.approx(0.1, abs=0.05) and share[-1] == pytest.approx(0.9, abs=0.05)
    assert np.corrcoef(share, ACTIVITY)[0, 1] > 0.99
    light = block("activity-tied", lowest=0.1, highest=0.9, favours="light")
    turned = np.mean([light.available(number, ACTIVITY, 0) for number in range(500)], axis=0)
    assert turned[0] > 0.8 > 0.2 > turned[-1]


def test_a_day_comes_back_and_devices_live_in_time_zones() -> None:
    found = table("diurnal", 8 * 400).reshape(400, 8, 40).mean(axis=0)
    assert found.mean() == pytest.approx(0.5, abs=0.02)
    assert (found.max(axis=0) - found.min(axis=0)).min() > 0.5, "every device has a night"
    assert len(set(found.argmax(axis=0).tolist())) > 3, "not all at once"


def test_a_chain_is_what_running_it_step_by_step_gives() -> None:
    found = table("markov")
    assert found.mean() == pytest.approx(0.05 / 0.25, abs=0.03)
    left = (found[:-1] & ~found[1:]).sum() / found[:-1].sum()
    came = (~found[:-1] & found[1:]).sum() / (~found[:-1]).sum()
    assert left == pytest.approx(0.2, abs=0.02) and came == pytest.approx(0.05, abs=0.005)
    with pytest.raises(ValidationError, match="nothing ever changes"):
        block("markov", on_to_off=0.0, off_to_on=0.0)


def test_a_trace_is_followed_and_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"phone": {"active": [0, 30], "inactive": [10, 40], "finish_time": 50}}))
    one = block("trace", path=str(path), round_seconds=5)
    on = [bool(one.available(number, ACTIVITY[:1], 0)[0]) for number in range(12)]
    assert on == [any(low <= second % 50 <= high for low, high in ((0, 10), (30, 40))) for second in range(0, 60, 5)]
    path.write_text("[]")
    with pytest.raises(ValidationError, match="must hold"):
        block("trace", path=str(path))
    with pytest.raises(ValidationError, match="no such file"):
        block("trace", path=str(tmp_path / "absent.json"))
