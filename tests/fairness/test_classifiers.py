"""Metrics on a classifier's answers: AUCs by hand masks and scikit-learn, rates by fairlearn, a planted bias, and none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_difference, equalized_odds_difference, false_positive_rate, true_positive_rate
from sklearn.metrics import roc_auc_score

from tasks.core.measures import Measures, PreparedOther
from tasks.fairness._aucs import areas, weighted_auc
from tasks.fairness._judged import Judged
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.rate_gaps import RateGaps
from tasks.fairness.metrics.subgroup_auc import SubgroupAuc
from tasks.models.artifact import save_model
from tasks.models.model import MODELS, TaskShape
from tests.conftest import Prepare
from tests.fairness.fakes import TINY

SAID = {"data": "d", "split": "test", "positive": "toxic"}


def judged(seed: int, n: int = 1500, planted: float = 0.0, several: bool = False) -> Judged:
    """Scores that follow the truth, raised by ``planted`` for group b whatever the truth."""
    generator = np.random.default_rng(seed)
    group = generator.choice(["a", "b", "c"], size=n)
    truth = generator.random(n) < 0.4
    score = np.round(1 / (1 + np.exp(-(2.0 * truth - 1.0 + planted * (group == "b") + generator.normal(size=n)))), 2)
    names: list[Any] = list(group)
    if several:
        names = [f"{name}|z" if generator.random() < 0.3 else name if generator.random() < 0.8 else None for name in names]
    table = {"id": [str(place) for place in range(n)], "group": names, "truth": truth, "score": score, "predicted": score > 0.5}
    return Judged(pd.DataFrame(table), SAID)


def numbers(found: Measures, metric: str) -> dict[str, Any]:
    return {row.name.removeprefix(f"fairness/{metric}/"): row for row in found.rows}


@pytest.mark.parametrize("background", ["other_groups", "all_others"])
def test_aucs_are_those_of_another_library_on_masks_by_hand(background: Any) -> None:
    found = judged(1, several=True)
    truth, score = found.table["truth"].to_numpy(), found.table["score"].to_numpy()
    about = np.any([*found.groups.values()], axis=0)
    result = areas(score, truth, found.groups, np.ones((1, len(truth))), background == "other_groups")
    for place, inside in enumerate(found.groups.values()):
        outside = ~inside & about if background == "other_groups" else ~inside
        masks = {"subgroup": inside, "bpsn": (outside & truth) | (inside & ~truth), "bnsp": (inside & truth) | (outside & ~truth)}
        for kind, mask in masks.items():
            assert result.by_kind[kind][0, place] == pytest.approx(roc_auc_score(truth[mask], score[mask]), abs=1e-12)
    assert result.overall[0] == pytest.approx(roc_auc_score(truth, score), abs=1e-12)


def test_weights_count_records_as_often(seed: int = 3) -> None:
    found = judged(seed, n=200)
    truth, score = found.table["truth"].to_numpy(), found.table["score"].to_numpy()
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, 200))
    for row, area in zip(weights, weighted_auc(score, truth, weights.astype(float)), strict=True):
        assert area == pytest.approx(roc_auc_score(np.repeat(truth, row), np.repeat(score, row)), abs=1e-12)
    whole = areas(score, truth, found.groups, weights.astype(float), False)
    for place, inside in enumerate(found.groups.values()):
        mask = (~inside & truth) | (inside & ~truth)
        expected = roc_auc_score(np.repeat(truth[mask], weights[1][mask]), np.repeat(score[mask], weights[1][mask]))
        assert whole.by_kind["bpsn"][1, place] == pytest.approx(expected, abs=1e-12)


def test_the_generalised_mean_is_the_formula_and_the_worst_dominate() -> None:
    found = numbers(SubgroupAuc(kind="subgroup-auc").scored(judged(2), 0), "subgroup_auc")
    values = np.asarray([found[f"bpsn/by_group/{name}"].value for name in "abc"])
    assert found["bpsn/score"].value == pytest.approx(np.mean(values**-5.0) ** (-1 / 5.0))
    assert found["bpsn/worst_group"].value == values.min()
    mean = np.mean([found[f"{kind}/score"].value for kind in ("subgroup", "bpsn", "bnsp")])
    assert found["difference"].value == pytest.approx(found["overall/score"].value - mean)
    assert found["final/score"].value == pytest.approx(0.25 * found["overall/score"].value + 0.75 * mean)


def test_a_small_group_is_left_out_and_named() -> None:
    found = judged(4)
    found.groups["tiny"] = np.arange(len(found.table)) < 12
    rows = numbers(SubgroupAuc(kind="subgroup-auc").scored(found, 0), "subgroup_auc")
    assert "subgroup/by_group/tiny" not in rows and "tiny (" in str(rows["difference"].reason)
    few = SubgroupAuc(kind="subgroup-auc", groups=("a", "tiny")).scored(found, 0).rows
    assert [row.status for row in few] == ["insufficient_evidence"] and few[0].value is None


def test_a_planted_bias_is_found_and_grows() -> None:
    """Group b's negatives are raised: BPSN of b falls, in order of what is planted. The interval of the strongest lies below that of none."""
    found = [numbers(SubgroupAuc(kind="subgroup-auc").scored(judged(5, planted=planted), 0), "subgroup_auc")["bpsn/by_group/b"] for planted in (0.0, 1.0, 2.0)]
    assert found[0].value > found[1].value > found[2].value
    assert found[2].high < found[0].low


def test_what_groups_lose_is_nothing_without_a_bias_and_grows_with_it() -> None:
    """Without one the headline is 0.0003 with a deviation of 0.0003 over data sets: beyond the margin of 0.005 in fewer than one in a million."""
    for seed in range(5):
        none, some, much = (
            numbers(SubgroupAuc(kind="subgroup-auc", resamples=200).scored(judged(seed, planted=planted), 0), "subgroup_auc") for planted in (0.0, 1.0, 2.0)
        )
        assert abs(none["difference"].value) < 0.005 < some["difference"].low <= some["difference"].value < much["difference"].low
        useless = judged(seed)
        useless.table["score"] = 0.5
        assert numbers(SubgroupAuc(kind="subgroup-auc", resamples=100).scored(useless, 0), "subgroup_auc")["difference"].value == pytest.approx(0)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 40 data sets the AUC of 200,000 draws is held by 95%: under 32 has a chance of one in 1,000 (binomial)."""
    large = judged(99, n=200_000)
    truth = roc_auc_score(large.table["truth"], large.table["score"])
    held = 0
    for seed in range(40):
        row = numbers(SubgroupAuc(kind="subgroup-auc", resamples=200).scored(judged(seed, n=500), seed), "subgroup_auc")["overall/score"]
        held += row.low <= truth <= row.high
    assert held >= 32


def test_rates_are_those_of_fairlearn() -> None:
    found = judged(6, planted=0.8)
    truth, said, group = found.table["truth"].astype(int), found.table["predicted"].astype(int), found.table["group"]
    rows = numbers(RateGaps(kind="rate-gaps").scored(found, 0), "rate_gaps")
    frame = MetricFrame(metrics={"t": true_positive_rate, "f": false_positive_rate}, y_true=truth, y_pred=said, sensitive_features=group)
    for name in "abc":
        assert rows[f"true_positive_rate/by_group/{name}"].value == pytest.approx(frame.by_group.loc[name, "t"])
        assert rows[f"false_positive_rate/by_group/{name}"].value == pytest.approx(frame.by_group.loc[name, "f"])
    assert rows["difference"].value == pytest.approx(equalized_odds_difference(truth, said, sensitive_features=group))
    assert rows["positive_rate/difference"].value == pytest.approx(demographic_parity_difference(truth, said, sensitive_features=group))
    assert rows["positive_rate/ratio"].value == pytest.approx(
        min(rows[f"positive_rate/by_group/{n}"].value for n in "abc") / max(rows[f"positive_rate/by_group/{n}"].value for n in "abc")
    )


def test_without_a_planted_bias_the_gap_is_small_and_with_one_it_is_told() -> None:
    """1,500 records: the deviation of a rate of a third of the negatives is about 0.03; without bias a gap above 0.15 has a chance under 1 in 1,000."""
    fair = numbers(RateGaps(kind="rate-gaps").scored(judged(7), 0), "rate_gaps")["difference"]
    biased = numbers(RateGaps(kind="rate-gaps").scored(judged(7, planted=1.5), 0), "rate_gaps")["difference"]
    assert fair.value < 0.15 < biased.low


def test_too_few_records_give_no_rate() -> None:
    rows = RateGaps(kind="rate-gaps", minimum=5000).scored(judged(8), 0).rows
    assert {row.status for row in rows} == {"insufficient_evidence"} and all(row.value is None for row in rows)


@pytest.mark.parametrize("kind", ["rate-gaps", "subgroup-auc", "prediction-sensitivity"])
def test_other_test_data_is_judged_by_the_model_as_it_is(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    own, other = (prepare({"kind": "synthetic-stereotypes", "task": "intent", "examples": 600, "seed": seed}) for seed in (1, 2))
    shape = TaskShape("intent", ("pleasant", "unpleasant"))
    model: Any = MODELS.parse({"kind": "bert", **TINY, "tokenizer": {"kind": "bytes", "max_tokens": 80}})
    save_model(tmp_path, model.start(shape, {}, 5), shape, {}, {})
    metric: Any = FAIRNESS.parse({"kind": kind, "test_data": {"kind": "synthetic-stereotypes", "task": "intent", "examples": 600, "seed": 2}})
    (need,) = metric.needs({})
    assert isinstance(need, PreparedOther) and need.label == "test"
    rows = metric.measure(tmp_path, {"data/test": other.folder}, own.folder, 0, None).rows
    told = [row.conditions["data"] for row in rows if "data" in row.conditions]
    assert told and set(told) == {other.facts["split_digests"]["test"]} and own.facts["split_digests"]["test"] not in told
