"""Our own sentences on women and men: what was planted is there, at its strength, and without it nothing is."""

from __future__ import annotations

import math

import pytest

from tasks.data._stereotype_words import EVALUATIONS, OCCUPATIONS, SUBJECTS
from tasks.data._stereotypes import GROUPS, NEUTRAL_SHARE, labelled_records, text_records
from tasks.data.dataset import DataError
from tests.conftest import Prepare

N = 8000


def within(found: float, truth: float, n: int) -> bool:
    """Within four standard errors: a false alarm in 16,000."""
    return abs(found - truth) <= 4 * math.sqrt(max(truth * (1 - truth), 1e-9) / n) + 1e-12


@pytest.mark.parametrize("bias", [0.0, 0.4, 1.0])
def test_groups_are_spoken_of_as_unlike_as_was_planted(bias: float) -> None:
    records = text_records(N, bias, 3)
    told = records[records["group"].notna()]
    assert within(1 - len(told) / N, NEUTRAL_SHARE, N)
    for group in GROUPS:
        mine = told[told["group"] == group]
        working = mine[mine["label"].isna()]
        assert within(float(working["planted"].isin(OCCUPATIONS[group]).mean()), (1 + bias) / 2, len(working))
        judged = mine[mine["label"].notna()]
        unpleasant = (1 + (bias if group == "female" else -bias)) / 2
        assert within(float(judged["planted"].isin(EVALUATIONS["unpleasant"]).mean()), unpleasant, len(judged))


@pytest.mark.parametrize(("bias", "graded"), [(0.0, False), (0.6, False), (1.0, True)])
def test_labels_depend_on_the_group_where_words_tell_nothing(bias: float, graded: bool) -> None:
    records = labelled_records(N, bias, 3, graded)
    plain = records[records["effect"] > 0] if bias else records[:0]
    words = records[records["effect"] == 0]
    if bias and not graded:
        female = plain[plain["group"] == "female"]
        assert within(float((female["label"] == "unpleasant").mean()), (1 + bias) / 2, len(female)) and within(len(plain) / N, 0.5, N)
    for group in GROUPS if not graded else ():
        mine = words[words["group"] == group]
        assert within(float((mine["label"] == "unpleasant").mean()), 0.5, len(mine))
    if graded:
        assert sorted(plain["effect"].unique()) == pytest.approx([pair / (len(SUBJECTS) - 1) for pair in range(1, len(SUBJECTS))])


def test_the_test_part_is_fair_and_is_rated_by_what_was_planted(prepare: Prepare) -> None:
    block = {"kind": "synthetic-stereotypes", "task": "intent", "examples": N, "label_bias": 0.8}
    test = prepare(block).split("test")
    assert within(len(test) / N, 0.2, N) and set(test["rating"]) == {0.0, 0.8}
    for group in GROUPS:
        mine = test[(test["group"] == group) & (test["rating"] > 0)]
        assert within(float((mine["label"] == "unpleasant").mean()), 0.5, len(mine)), "the test part is biased too"
    fair = prepare({**block, "label_bias": 0}).split("test")
    assert list(fair["text"]) == list(test["text"]) and list(fair["label"]) == list(test["label"]) and set(fair["rating"]) == {0.0}


def test_group_labels_are_the_groups_of_records_about_one(prepare: Prepare) -> None:
    source = {"kind": "synthetic-stereotypes", "task": "intent", "examples": 300}
    found = prepare({"kind": "group-labels", "data": source})
    assert set(found.labels) == {"female", "male"} and list(found.split("train")["label"]) == list(found.split("train")["group"])
    assert "rating" not in found.split("test")
    with pytest.raises(DataError, match="fewer than two groups"):
        prepare({"kind": "group-labels", "data": source, "groups": ["female"]})
