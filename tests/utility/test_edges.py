"""Where a number or its interval cannot be had, the row says why; where a share is 0 or 1, its interval is exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.utility.predictions import row, table


def answers(right: list[bool], users: Sequence[str | None] | None = None) -> pd.DataFrame:
    found = pd.DataFrame({"id": range(len(right)), "label": "a", "predicted": ["a" if good else "b" for good in right]})
    return found if users is None else found.assign(user=pd.Series(users, dtype=object))


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("count", [30, 100])
def test_all_or_nothing_has_the_interval_of_clopper_and_pearson(right: bool, count: int, tmp_path: Path) -> None:
    found = row("accuracy", answers([right] * count), tmp_path)
    exact = stats.binomtest(count if right else 0, count).proportion_ci(method="exact")
    assert found.value == float(right) and [found.low, found.high] == pytest.approx([exact.low, exact.high])


def test_all_right_of_few_users_is_worth_no_more_than_the_users(tmp_path: Path) -> None:
    found = row("accuracy", answers([True] * 100, [f"u{index % 10}" for index in range(100)]), tmp_path)
    exact = stats.binomtest(10, 10).proportion_ci(method="exact")
    assert [found.low, found.high] == pytest.approx([exact.low, 1.0])


@pytest.mark.parametrize("users", [["u"] * 40, [f"u{index // 2}" for index in range(40)]])
def test_half_right_everywhere_has_no_interval_and_not_a_false_one(users: list[str | None], tmp_path: Path) -> None:
    """One user, or users who are all alike: resamples have no spread, and the share is at no edge."""
    found = row("accuracy", answers([True, False] * 20, users), tmp_path)
    assert found.value == 0.5 and found.low is None and found.high is None and found.interval is None
    assert found.reason is not None and found.reason.startswith("no interval: ")


def test_too_few_records_give_no_number(tmp_path: Path) -> None:
    few = row("accuracy", answers([True, False] * 14), tmp_path)
    assert (few.value, few.status, few.n) == (None, "insufficient_evidence", 28) and few.reason == "28 test records, 30 are needed"
    assert row("accuracy", answers([True, False] * 14), tmp_path, minimum_items=28).value == 0.5


def test_what_nothing_counts_in_is_undefined(tmp_path: Path) -> None:
    found = pd.DataFrame({"id": range(40), "slots": [["O", "O"]] * 40, "predicted_slots": [["O", "O"]] * 40})
    undefined = row("slot-f1", found, tmp_path)
    assert undefined.value is None and undefined.status == "undefined" and undefined.reason


def test_a_task_that_is_not_judged_is_said(tmp_path: Path) -> None:
    found = row("slot-f1", table(), tmp_path, task="intent")
    assert found.value is None and found.status == "unsupported" and found.reason == "slot-f1 does not judge task 'intent'"


def test_users_are_drawn_whole(tmp_path: Path) -> None:
    """Twenty users of twenty alike records: the interval is about as wide as that of twenty coins, not of four hundred."""
    users: list[str | None] = [f"u{index // 20}" for index in range(400)]
    right = [index // 20 % 2 == 0 for index in range(400)]
    by_user, by_record = row("accuracy", answers(right, users), tmp_path), row("accuracy", answers(right), tmp_path)
    assert by_user.low is not None and by_user.high is not None and by_record.low is not None and by_record.high is not None
    assert by_user.high - by_user.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(20), rel=0.15)
    assert by_record.high - by_record.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(400), rel=0.15)


def test_records_without_a_user_stand_for_themselves(tmp_path: Path) -> None:
    right = [bool(index % 2) for index in range(100)]
    none, named = row("accuracy", answers(right, [None] * 100), tmp_path), row("accuracy", answers(right), tmp_path)
    assert (none.low, none.high) == (named.low, named.high)
    some = row("accuracy", answers(right, ["u", *[None] * 99]), tmp_path)
    assert some.value == 0.5 and some.low is not None and some.low < 0.5
