"""Disparities: against fairlearn, plain loops, and shuffled groups."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from safetensors.numpy import save_file
from sklearn.metrics import accuracy_score

from tasks.fairness._judged import Judged
from tasks.fairness.disparities import disparity
from tasks.fairness.metric import FAIRNESS
from tests.fairness.test_classifiers import judged, numbers

ORACLE = {"accuracy": accuracy_score, "true_positive_rate": true_positive_rate, "false_positive_rate": false_positive_rate, "positive_rate": selection_rate}


def metric(**fields: Any) -> Any:
    return FAIRNESS.parse({"kind": "group-disparities", **fields})


def test_across_groups_it_is_another_library_s_difference_ratio_and_minimum() -> None:
    found = judged(2, planted=1.0)
    every = metric(scores=list(ORACLE), disparities=["difference", "ratio", "worst_group", "spread"])
    rows = numbers(every.scored(found, 0), "group_disparities")
    truth, said = found.table["truth"], found.table["predicted"]
    frame = MetricFrame(metrics=ORACLE, y_true=truth, y_pred=said, sensitive_features=found.table["group"])
    for score in ORACLE:
        assert rows[f"{score}/across/difference"].value == pytest.approx(frame.difference()[score])
        assert rows[f"{score}/across/ratio"].value == pytest.approx(frame.ratio()[score])
        worst = frame.group_max()[score] if score == "false_positive_rate" else frame.group_min()[score]
        assert rows[f"{score}/across/worst_group"].value == pytest.approx(worst)
        assert rows[f"{score}/across/spread"].value == pytest.approx(float(np.std(frame.by_group[score].to_numpy(dtype=float))))
        for group in "abc":
            assert rows[f"{score}/by_group/{group}"].value == pytest.approx(frame.by_group[score][group])


def test_pairs_and_backgrounds_are_those_of_plain_loops_also_with_several_groups_a_record() -> None:
    found = judged(3, planted=0.7, several=True)
    rows = numbers(metric(comparisons=["pairwise", "background"]).scored(found, 0), "group_disparities")
    right = (found.table["truth"] == found.table["predicted"]).to_numpy()
    within = {name: right[inside].mean() for name, inside in found.groups.items()}
    outside = {name: right[~inside].mean() for name, inside in found.groups.items()}
    pairs = [(within[one], within[other]) for one, other in combinations(within, 2)]
    against = [(within[name], outside[name]) for name in within]
    for comparison, both in (("pairwise", pairs), ("background", against)):
        assert rows[f"accuracy/{comparison}/difference"].value == pytest.approx(np.mean([abs(one - other) for one, other in both]))
        assert rows[f"accuracy/{comparison}/ratio"].value == pytest.approx(np.mean([min(pair) / max(pair) for pair in both]))


def test_a_ratio_of_nothing_to_nothing_is_one() -> None:
    zeros = np.zeros((1, 3))
    assert disparity(zeros, zeros, "across", "ratio")[0] == 1.0
    assert disparity(np.asarray([[0.0, 0.5]]), zeros, "across", "ratio")[0] == 0.0


def chance(row: Any) -> float:
    return float(row.reason.split(" below ")[1].split(" ")[0])


def test_a_planted_gap_lies_beyond_what_shuffled_groups_give_and_none_seldom_does() -> None:
    """40 draws without a gap, at 5%: 7 or more alarms come by chance less than once in 300."""
    alarms = 0
    for seed in range(40):
        rows = numbers(metric().scored(judged(100 + seed, n=400), seed), "group_disparities")
        alarms += rows["accuracy/across/difference"].value > chance(rows["accuracy/across/difference"])
    assert alarms < 7
    planted = numbers(metric().scored(judged(1, planted=2.5), 0), "group_disparities")["accuracy/across/difference"]
    assert planted.value is not None and planted.value > 2 * chance(planted) and planted.low is not None and planted.low > chance(planted)


def test_too_few_are_left_out_by_name_and_too_few_groups_are_no_evidence() -> None:
    found = judged(4, n=200)
    rows = numbers(metric(minimum=60).scored(found, 0), "group_disparities")
    sizes = {name: int(inside.sum()) for name, inside in found.groups.items()}
    lost = [name for name, size in sizes.items() if size < 60]
    assert lost and all(f"{name} ({sizes[name]})" in (rows["accuracy/across/difference"].reason or "") for name in lost)
    assert {row.status for row in metric(minimum=1000).scored(found, 0).rows} == {"insufficient_evidence"}
    one = Judged(pd.DataFrame({"id": ["1"], "group": ["a"], "truth": [True], "score": [0.9], "predicted": [True]}), {})
    assert {row.status for row in metric(minimum=1).scored(one, 0).rows} == {"insufficient_evidence"}


def test_what_is_defined_across_groups_alone_is_refused_elsewhere() -> None:
    with pytest.raises(ValueError, match="across groups alone"):
        metric(comparisons=["pairwise"], disparities=["spread"])


def test_of_many_labels_accuracy_needs_none_to_be_positive_and_rates_do(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    labels, n = ["north", "south", "west"], 300
    logits = generator.normal(size=(n, 3))
    truth = [labels[place] for place in generator.integers(3, size=n)]
    group = np.where(np.arange(n) % 3 == 0, "a", "b")
    (tmp_path / "labels.json").write_text(json.dumps({"labels": labels}))
    (tmp_path / "predictions.json").write_text(json.dumps({"task": "intent", "data": "d"}))
    save_file({"intent": logits.astype(np.float32)}, tmp_path / "logits.safetensors")
    pd.DataFrame({"id": [str(place) for place in range(n)], "label": truth, "group": group}).to_parquet(tmp_path / "predictions.parquet")
    needed = {"predictions/test": tmp_path}
    rows = numbers(metric(disparities=["difference"]).measure(tmp_path, needed, tmp_path, 0, None), "group_disparities")
    right = np.asarray([labels[place] for place in logits.argmax(axis=1)]) == np.asarray(truth)
    for name in "ab":
        assert rows[f"accuracy/by_group/{name}"].value == pytest.approx(right[group == name].mean())
    assert rows["accuracy/across/difference"].conditions["positive"] == "the true label"
    (refused,) = metric(scores=["true_positive_rate"], disparities=["difference"]).measure(tmp_path, needed, tmp_path, 0, None).rows
    assert refused.status == "unsupported" and refused.reason == "of 3 labels one must be named: positive"
