"""Checks while devices train: pooled at the server, or one score per device; all together and by window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.federated.evaluation import EVALUATIONS, Evaluation
from tasks.federated.population import Population
from tasks.federated.scoring import ALL, Scorer, device_scores
from tasks.federated.timeline import TIMELINES, Timeline
from tasks.models.artifact import LoadedModel
from tasks.models.model import MODELS, Architecture, TaskShape
from tasks.utility.metric import UTILITY, Scored, UtilityMetric

RECORDS = 60
LABELS = ("a", "b")


def records() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    labels = generator.choice(LABELS, size=RECORDS)
    words = ["alpha" if label == "a" else "beta" for label in labels]
    return pd.DataFrame({"id": [f"r{index}" for index in range(RECORDS)], "text": words, "label": labels})


def population() -> Population:
    generator = np.random.default_rng(1)
    device, window = generator.integers(-1, 8, size=RECORDS), generator.integers(3, size=RECORDS)
    return Population(tuple(f"d{index}" for index in range(8)), device, device, window, window)


def metric(kind: str = "accuracy") -> UtilityMetric:
    found = UTILITY.parse({"kind": kind})
    assert isinstance(found, UtilityMetric)
    return found


def evaluation(**values: Any) -> Evaluation:
    found = EVALUATIONS.parse(values)
    assert isinstance(found, Evaluation)
    return found


def timeline(windows: int = 3, **retention: Any) -> Timeline:
    kept = {"retention": retention} if retention else {}
    found = TIMELINES.parse({"kind": "static"} if windows == 1 else {"kind": "continual", "windows": windows, **kept})
    assert isinstance(found, Timeline)
    return found


def scorer(block: Evaluation, when: Timeline | None = None) -> Scorer:
    model = MODELS.parse({"kind": "linear", "bigram_buckets": 0, "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 4}})
    assert isinstance(model, Architecture)
    shape = TaskShape("intent", LABELS)
    made = model.start(shape, {}, 0)
    return Scorer(LoadedModel(made.model, made.encoder, made.network, shape, {}), metric(), records(), population(), block, when or timeline(), 9, 0)


def test_a_central_check_is_the_pooled_score_of_all_and_of_each_window() -> None:
    found = scorer(evaluation(kind="central")).check(7, "cpu")
    right = (records()["label"] == "a").to_numpy()  # untrained weights are zero: every answer is the first label
    window = population().test_window
    assert [(score.round, score.window, score.n) for score in found] == [(7, ALL, 60), *((7, index, int((window == index).sum())) for index in range(3))]
    assert found[0].score == pytest.approx(right.mean())
    assert [score.score for score in found[1:]] == pytest.approx([right[window == index].mean() for index in range(3)])


def test_without_windows_only_all_is_scored() -> None:
    assert [score.window for score in scorer(evaluation(kind="central"), timeline(1)).check(1, "cpu")] == [ALL]


def test_a_check_on_devices_is_the_mean_of_their_own_scores() -> None:
    (found, *_) = scorer(evaluation(kind="federated")).check(1, "cpu")
    right, device = (records()["label"] == "a").to_numpy(), population().test
    own = [right[device == index].mean() for index in range(8) if (device == index).any()]
    assert found.score == pytest.approx(np.mean(own)) and found.n == len(own)
    assert found.score != pytest.approx(right.mean()), "light devices count as much as heavy ones"


def test_fewer_devices_are_asked_where_the_spec_says_so_and_the_same_ones_each_time() -> None:
    some = evaluation(kind="federated", devices=3)
    (first, *_), (again, *_) = scorer(some).check(1, "cpu"), scorer(some).check(2, "cpu")
    assert first.n == 3 and first.score == again.score


def test_devices_that_left_are_not_asked_and_are_counted() -> None:
    """Half of the devices leave with window 1, which begins after round 3 of 9."""
    when, seed = timeline(3, kind="erase", share=0.5, window=1), 0
    gone = when.erased(8, 1, seed)
    assert 0 < gone.sum() < 8
    found = scorer(evaluation(kind="federated"), when)
    (before, *_), (after, *_) = found.check(3, "cpu"), found.check(4, "cpu")
    right, device = (records()["label"] == "a").to_numpy(), population().test
    assert before.n == 8 and before.erased == 0
    assert after.score == pytest.approx(np.mean([right[device == index].mean() for index in np.flatnonzero(~gone)]))
    assert (after.n, after.erased) == (8 - gone.sum(), gone.sum()) and after.score != before.score
    assert scorer(evaluation(kind="central"), when).check(4, "cpu")[0].n == 60, "a server that holds the test records scores all of them"


def test_device_scores_leave_out_records_of_no_device_and_devices_without_a_score() -> None:
    sums = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    scored = Scored(sums, lambda total: total[:, 0] / total[:, 1])
    assert device_scores(scored, np.array([0, 0, 1, 2, -1]), np.arange(5)).tolist() == [0.5, 1.0]
    assert not len(device_scores(scored, np.full(5, -1), np.arange(5)))
