"""The accuracy gap equals fairlearn's, holds a planted gap about as often as it says, and says why where there is none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats
from sklearn.metrics import accuracy_score

from tasks.core.measures import Predictions, Row
from tasks.data.datasets.synthetic_assistant import SyntheticAssistant
from tasks.fairness.metric import FAIRNESS
from tests.conftest import Prepare
from tests.fairness.judged import answers, exactly, measured, rows

FALSE_ALARM = 1e-4
many = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.sampled_from("xyz")), min_size=1, max_size=80)


def width(row: Row) -> float:
    assert row.low is not None and row.high is not None
    return row.high - row.low


def holds(row: Row, truth: float) -> bool:
    return row.low is not None and row.high is not None and row.low <= truth <= row.high


@settings(deadline=None, max_examples=60)
@given(many)
def test_gaps_are_those_of_fairlearn(records: list[tuple[str, str, str]]) -> None:
    table = pd.DataFrame(records, columns=["group", "label", "predicted"]).assign(id=lambda found: [f"r{index}" for index in found.index])
    kept = table[table["group"].map(table["group"].value_counts()) >= 2]
    with tempfile.TemporaryDirectory() as folder:
        found = rows(table, Path(folder), minimum_group_size=2)
    if kept["group"].nunique() < 2:
        assert {row.status for row in found.values()} == {"insufficient_evidence"}
        return
    frame = MetricFrame(metrics=accuracy_score, y_true=kept["label"], y_pred=kept["predicted"], sensitive_features=kept["group"])
    assert found["difference"].value == pytest.approx(frame.difference()) and found["worst_group"].value == pytest.approx(frame.group_min())
    by_group = {name.removeprefix("by_group/"): row.value for name, row in found.items() if name.startswith("by_group/")}
    assert by_group == pytest.approx(frame.by_group.to_dict())


def test_the_planted_gap_is_held_about_as_often_as_the_interval_says(prepare: Prepare, tmp_path: Path) -> None:
    """The best answers to the synthetic assistant: a coin for its bias / 2. 100 draws, 93 of 100 at least, false alarm 1e-4."""
    block = {"kind": "synthetic-assistant", "task": "intent", "bias": 0.4}
    test = prepare(block).split("test")
    truth = SyntheticAssistant.model_validate(block).accuracy_gap
    assert truth == 0.2 and set(test["group"]) == {"a", "b"}
    held = wrong = 0
    for seed in range(100):
        missed = (np.random.default_rng(seed).random(len(test)) < truth) & (test["group"] == "b").to_numpy()
        table = answers(test["group"].tolist(), (~missed).tolist(), test["user"].tolist())
        found = rows(table, tmp_path, seed=seed)["difference"]
        held, wrong = held + holds(found, truth), wrong + holds(found, truth / 2)
    assert stats.binomtest(held, 100, 0.93, alternative="less").pvalue > FALSE_ALARM
    assert stats.binomtest(wrong, 100, 0.93, alternative="less").pvalue < FALSE_ALARM  # half the gap would be seen


def test_users_are_drawn_whole_and_their_records_alone_would_hold_too_seldom(tmp_path: Path) -> None:
    """40 users a group with 8 like answers each, 100 draws: 91 of 100 at least (few clusters), false alarm 1e-4."""
    held = np.zeros(2, dtype=int)
    group, users = np.repeat(["a", "b"], 320), np.repeat([f"u{index}" for index in range(80)], 8)
    for seed in range(100):
        right = np.repeat(np.random.default_rng(seed).random(80) < np.repeat([0.8, 0.55], 40), 8)
        table = answers(group.tolist(), right.tolist(), users.tolist())
        by_group = table.assign(right=right).groupby("group")["right"].mean()
        truth = 0.25 if by_group["a"] >= by_group["b"] else -0.25  # the sign is that of the groups that the numbers named
        held += [holds(rows(one, tmp_path, seed=seed)["difference"], truth) for one in (table, table.drop(columns="user"))]
    assert stats.binomtest(int(held[0]), 100, 0.91, alternative="less").pvalue > FALSE_ALARM
    assert stats.binomtest(int(held[1]), 100, 0.91, alternative="less").pvalue < FALSE_ALARM


def test_users_of_like_answers_widen_the_interval_by_the_root_of_their_records(tmp_path: Path) -> None:
    group, users = np.repeat(["a", "b"], 400), np.repeat([f"u{index}" for index in range(80)], 10)
    right = np.repeat(np.random.default_rng(3).random(80) < 0.6, 10)
    table = answers(group.tolist(), right.tolist(), users.tolist())
    by_user, by_record = rows(table, tmp_path / "a"), rows(table.drop(columns="user"), tmp_path / "b")
    assert width(by_user["difference"]) / width(by_record["difference"]) == pytest.approx(np.sqrt(10), rel=0.15)
    unnamed = table.assign(user=pd.Series([None] * len(table), dtype=object))
    assert width(rows(unnamed, tmp_path / "c")["difference"]) == pytest.approx(width(by_record["difference"]), rel=1e-9)


def test_where_groups_are_alike_the_signed_interval_reaches_below_zero(tmp_path: Path) -> None:
    alike, apart = (rows(exactly({"a": (80, 100), "b": (second, 100)}), tmp_path / str(second))["difference"] for second in (78, 30))
    assert alike.value == pytest.approx(0.02) and alike.low is not None and alike.low < 0 and alike.lowest == -1.0
    assert apart.low is not None and apart.low > 0


def test_equal_groups_have_a_gap_of_zero_and_an_interval_on_both_sides(tmp_path: Path) -> None:
    """The best and the worst must be two groups then too: the difference of a group to itself would have no spread."""
    found = rows(exactly({"a": (60, 100), "b": (60, 100)}), tmp_path)["difference"]
    assert found.value == 0.0 and found.low is not None and found.high is not None and found.low < 0 < found.high


def test_small_groups_are_left_out_and_named(tmp_path: Path) -> None:
    table = exactly({"a": (30, 40), "b": (25, 40), "few": (0, 29), "one": (1, 1)})
    found = rows(table, tmp_path)
    assert set(found) == {"difference", "worst_group", "by_group/a", "by_group/b"}
    assert found["difference"].value == pytest.approx(5 / 40) and found["worst_group"].value == pytest.approx(25 / 40)
    for name in ("difference", "worst_group"):
        assert found[name].reason == "left out for want of records: few (29), one (1)"
    assert {row.conditions["groups"] for row in found.values()} == {"a 40, b 40"}
    assert [found[name].n for name in ("difference", "worst_group", "by_group/a")] == [80, 40, 40]
    lower = rows(table, tmp_path, minimum_group_size=29)
    assert lower["worst_group"].value == 0.0 and lower["difference"].reason is not None and "one (1)" in lower["difference"].reason


def test_more_than_two_groups_compare_the_best_with_the_worst(tmp_path: Path) -> None:
    found = rows(exactly({"a": (30, 50), "b": (45, 50), "c": (20, 40), "d": (40, 60)}), tmp_path)
    assert found["difference"].value == pytest.approx(0.9 - 0.5) and found["worst_group"].value == 0.5 and found["worst_group"].n == 40
    assert {name: row.value for name, row in found.items() if "/" in name} == pytest.approx(
        {"by_group/a": 0.6, "by_group/b": 0.9, "by_group/c": 0.5, "by_group/d": 2 / 3}
    )
    assert found["worst_group"].low == found["by_group/c"].low and found["difference"].conditions["groups"] == "a 50, b 50, c 40, d 60"


def test_rows_carry_their_directions_and_conditions(tmp_path: Path) -> None:
    found = rows(exactly({"a": (30, 50), "b": (45, 50)}), tmp_path)
    assert {name: row.direction for name, row in found.items()} == {
        "difference": "lower",
        "worst_group": "higher",
        "by_group/a": "higher",
        "by_group/b": "higher",
    }
    for row in found.values():
        assert (row.status, row.reason, row.interval, row.highest) == ("ok", None, "items", 1.0)
        assert {"data": "d", "split": "test", "groups": "a 50, b 50", "notion": "overall accuracy equality"}.items() <= row.conditions.items()
        assert row.conditions.get("ideal") == ("0" if row.name.endswith("difference") else None)
        assert row.low is not None and row.high is not None and row.value is not None and row.low < row.value < row.high


@pytest.mark.parametrize(
    ("table", "task", "status", "reason"),
    [
        (
            exactly({"a": (20, 40), "b": (3, 5)}),
            "intent",
            "insufficient_evidence",
            "fewer than two groups have 30 test records (a 40, b 5)",
        ),
        (exactly({"a": (20, 40)}), "intent", "insufficient_evidence", "fewer than two groups have 30 test records (a 40)"),
        (exactly({"a": (20, 40)}).drop(columns="group"), "intent", "unsupported", "the data names no groups"),
        (answers([None] * 40, [True] * 40), "joint", "unsupported", "the data names no groups"),
        (exactly({"a": (20, 40), "b": (20, 40)}), "lm", "unsupported", "accuracy-gap does not judge task 'lm'"),
        (exactly({"a": (20, 40), "b": (20, 40)}).drop(columns=["label", "predicted"]), "tagging", "unsupported", "accuracy-gap does not judge task 'tagging'"),
    ],
)
def test_where_there_is_no_gap_the_rows_say_why_and_never_zero(table: pd.DataFrame, task: str, status: str, reason: str, tmp_path: Path) -> None:
    measures = measured(table, tmp_path, task)
    assert [row.name for row in measures.rows] == ["fairness/accuracy/difference", "fairness/accuracy/worst_group"] and not measures.items
    for row in measures.rows:
        assert (row.value, row.low, row.high, row.status, row.reason, row.n) == (None, None, None, status, reason, len(table))


def test_records_without_a_group_belong_to_none(tmp_path: Path) -> None:
    table = exactly({"a": (30, 40), "b": (20, 40)})
    more = pd.concat([table, answers([None] * 50, [False] * 50).assign(id=lambda found: "n" + found["id"])], ignore_index=True)
    found, without = rows(more, tmp_path / "a"), rows(table, tmp_path / "b")
    assert found == without and found["difference"].n == 80


def test_where_every_answer_is_right_there_is_no_false_interval(tmp_path: Path) -> None:
    found = rows(exactly({"a": (40, 40), "b": (40, 40), "c": (0, 9)}), tmp_path)
    assert found["difference"].value == 0.0 and {(row.low, row.high, row.interval) for row in found.values()} == {(None, None, None)}
    assert found["difference"].reason == "left out for want of records: c (9); no interval: every resample is alike"
    assert found["by_group/a"].reason == "no interval: every resample is alike"


def test_groups_of_one_user_each_are_no_crash(tmp_path: Path) -> None:
    """Half of the resamples lack a group and say nothing; the others are alike."""
    table = exactly({"a": (30, 40), "b": (20, 40)})
    found = rows(table.assign(user=table["group"]), tmp_path)
    assert found["difference"].value == 0.25 and found["difference"].low is None and found["difference"].reason is not None


def test_groups_become_names_that_a_tracker_takes_and_stay_apart(tmp_path: Path) -> None:
    names = ["über 60", "a/b", "a b", "a_b", "18-29", "x.y", "!"]
    found = rows(exactly({name: (20 + index, 40) for index, name in enumerate(names)}), tmp_path)
    slugs = {name.removeprefix("by_group/"): row.value for name, row in found.items() if name.startswith("by_group/")}
    assert slugs == {"_": 26 / 40, "18-29": 24 / 40, "a_b": 22 / 40, "a_b_2": 21 / 40, "a_b_3": 23 / 40, "x.y": 25 / 40, "_ber_60": 20 / 40}
    assert len({row.name for row in measured(exactly(dict.fromkeys(names, (20, 40))), tmp_path).rows}) == len(names) + 2


def test_a_label_replaces_the_quantity_in_names(tmp_path: Path) -> None:
    names = [row.name for row in measured(exactly({"a": (20, 40), "b": (20, 40)}), tmp_path, label="by-age").rows]
    assert names == ["fairness/by_age/difference", "fairness/by_age/worst_group", "fairness/by_age/by_group/a", "fairness/by_age/by_group/b"]


def test_items_hold_ids_and_answers_alone(tmp_path: Path) -> None:
    table = exactly({"a": (20, 40), "b": (30, 40)})
    items = measured(table, tmp_path).items
    assert set(items) == {"id", "cluster", "correct"} and list(items["id"]) == list(table["id"])
    assert list(items["correct"]) == (table["label"] == table["predicted"]).astype(int).tolist()


def test_the_same_seed_gives_the_same_measures(tmp_path: Path) -> None:
    table = exactly({"a": (20, 40), "b": (30, 40)})
    found = [measured(table, tmp_path, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] and found[0].rows != found[2].rows


def test_it_needs_the_test_predictions_and_groups_of_two_at_least() -> None:
    assert FAIRNESS.parse({"kind": "accuracy-gap"}).needs({}) == (Predictions(split="test"),)  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        FAIRNESS.parse({"kind": "accuracy-gap", "minimum_group_size": 1})
