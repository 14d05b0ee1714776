"""ROC statistics equal scikit-learn's, slow twins and closed forms; intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from tasks.attacks import _roc
from tasks.attacks._roc import Ranking, intervals
from tasks.core.bootstrap import Interval
from tests.attacks.made import weights_of_one

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FALSE_ALARM = 1e-4
RATES = (0.001, 0.01, 0.1, 0.25, 0.5)

scored = st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=2, max_size=40).filter(
    lambda records: {member for _, member, times in records if times} == {True, False}
)


def parts(records: list[tuple[int, bool, int]]) -> tuple[Floats, Bools, NDArray[np.int64]]:
    scores, member, times = zip(*records, strict=True)
    return np.array(scores, dtype=float), np.array(member), np.array(times)


def slow_tpr(scores: Floats, member: Bools, fpr: float) -> float:
    """Every threshold in turn: the highest true positive rate among those whose false positive rate is not above."""
    reached = [0.0]
    for threshold in np.unique(scores):
        if np.mean(scores[~member] >= threshold) <= fpr:
            reached.append(float(np.mean(scores[member] >= threshold)))
    return max(reached)


@settings(deadline=None)
@given(scored)
def test_auc_is_that_of_scikit_learn_with_ties_and_weights(records: list[tuple[int, bool, int]]) -> None:
    scores, member, times = parts(records)
    [found] = Ranking(scores, member).auc(times[None, :].astype(float))
    assert found == pytest.approx(roc_auc_score(member, scores, sample_weight=times))
    assert found == pytest.approx(roc_auc_score(np.repeat(member, times), np.repeat(scores, times)))


@settings(deadline=None)
@given(scored, st.sampled_from(RATES))
def test_tpr_is_the_highest_whose_fpr_is_not_above(records: list[tuple[int, bool, int]], fpr: float) -> None:
    scores, member, times = parts(records)
    [found] = Ranking(scores, member).tpr_at(times[None, :].astype(float), fpr)
    repeated, of = np.repeat(scores, times), np.repeat(member, times)
    assert found == pytest.approx(slow_tpr(repeated, of, fpr))
    false, true, _ = roc_curve(of, repeated, drop_intermediate=False)
    assert found == pytest.approx(true[false <= fpr + 1e-12].max())


def test_each_row_of_weights_is_a_sample_of_its_own() -> None:
    draw = np.random.default_rng(0)
    scores, member = draw.integers(5, size=60).astype(float), draw.random(60) < 0.5
    weights = draw.integers(3, size=(4, 60)).astype(float)
    ranking = Ranking(scores, member)
    apart = np.concatenate([ranking.auc(one[None, :]) for one in weights])
    np.testing.assert_allclose(ranking.auc(weights), apart)
    assert len(set(apart)) == 4  # so that using one row for all would be seen


def test_a_tie_counts_half_and_an_infinite_loss_is_one_place() -> None:
    member = np.array([True, False])
    assert Ranking(np.array([1.0, 1.0]), member).auc(weights_of_one(2)) == 0.5
    assert Ranking(np.array([-np.inf, -np.inf]), member).auc(weights_of_one(2)) == 0.5
    assert Ranking(np.array([1.0, 1.0]), member).tpr_at(weights_of_one(2), 0.5) == 0.0


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_gaussian_scores_have_their_closed_form(mu: float) -> None:
    """Twenty thousand quantiles on each side, no chance: AUC = Phi(mu / sqrt 2), TPR = Phi(Phi^-1(FPR) + mu)."""
    size = 20_000
    quantiles = stats.norm.ppf((np.arange(size) + 0.5) / size)
    member = np.arange(2 * size) < size
    ranking = Ranking(np.r_[quantiles + mu, quantiles], member)
    assert ranking.auc(weights_of_one(2 * size))[0] == pytest.approx(stats.norm.cdf(mu / np.sqrt(2)), abs=1e-3)
    for fpr in (0.001, 0.01, 0.1):
        assert ranking.tpr_at(weights_of_one(2 * size), fpr)[0] == pytest.approx(stats.norm.cdf(stats.norm.ppf(fpr) + mu), abs=2e-3)


def interval_of(scores: Floats, member: Bools, clusters: NDArray[np.str_] | None = None, seed: int = 0, blind: Floats | None = None) -> dict[str, Interval]:
    rankings = {"attack": Ranking(scores, member), "blind": Ranking(scores if blind is None else blind, member)}
    units = np.arange(len(member)).astype(str) if clusters is None else clusters
    return intervals(rankings, member, units, {"tpr": 0.1}, np.random.default_rng(seed))


def holds(found: Interval, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def width(found: Interval) -> float:
    assert found.low is not None and found.high is not None
    return found.high - found.low


def covered(repeats: int, members: int, others: int, each: int, whole: bool) -> tuple[int, int]:
    """How often the intervals of AUC and of TPR hold the truth, of users with ``each`` equal records, drawn whole or not."""
    truth = stats.norm.cdf(1 / np.sqrt(2)), stats.norm.cdf(stats.norm.ppf(0.1) + 1)
    counts = np.zeros(2, dtype=int)
    for seed in range(repeats):
        draw = np.random.default_rng(seed)
        scores = np.repeat(np.r_[draw.normal(1, 1, size=members), draw.normal(size=others)], each)
        member = np.repeat(np.arange(members + others) < members, each)
        users = np.repeat(np.arange(members + others), each).astype(str) if whole else None
        found = interval_of(scores, member, users, seed)
        counts += [holds(found["auc"], truth[0]), holds(found["tpr"], truth[1])]
    return int(counts[0]), int(counts[1])


def fits(count: int, repeats: int, share: float) -> bool:
    return bool(stats.binomtest(count, repeats, share, alternative="less").pvalue > FALSE_ALARM)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """100 data sets of 200 and 150 records: no less than 93 of 100 (a percentile bootstrap's own error), false alarm 1e-4; TPR's quantiles cost more."""
    auc, tpr = covered(100, 200, 150, each=1, whole=True)
    assert fits(auc, 100, 0.93) and fits(tpr, 100, 0.90)


def test_intervals_of_whole_users_hold_the_truth_and_those_of_their_records_do_not() -> None:
    """50 and 50 users of 6 equal records, 100 data sets, false alarm 1e-4; the planted bootstrap of records is caught."""
    assert fits(covered(100, 50, 50, each=6, whole=True)[0], 100, 0.93)
    assert not fits(covered(60, 50, 50, each=6, whole=False)[0], 60, 0.93)


def test_users_of_ten_equal_records_widen_the_interval_by_the_root_of_ten() -> None:
    draw = np.random.default_rng(1)
    scores, member = np.repeat(np.r_[draw.normal(1, 1, 100), draw.normal(size=80)], 10), np.repeat(np.arange(180) < 100, 10)
    by_user = interval_of(scores, member, np.repeat(np.arange(180), 10).astype(str))
    assert width(by_user["auc"]) / width(interval_of(scores, member)["auc"]) == pytest.approx(np.sqrt(10), rel=0.15)


def test_the_attack_and_the_blind_baseline_share_their_resamples() -> None:
    """Where the blind score is the loss, each resample's difference is the widening's alone, far narrower than that of an unrelated score."""
    draw = np.random.default_rng(2)
    member = np.arange(300) < 150
    scores = draw.normal(size=300) + member
    alike, apart = interval_of(scores, member), interval_of(scores, member, blind=draw.normal(size=300) + member)
    assert alike["auc_above_blind"].value == 0.0
    assert width(alike["auc_above_blind"]) == pytest.approx((_roc.OUT_OF_FOLD - 1) * width(alike["auc"]), rel=0.05)
    assert width(alike["auc_above_blind"]) < 0.5 * width(apart["auc_above_blind"])
    assert width(alike["blind_auc"]) == pytest.approx(_roc.OUT_OF_FOLD * width(alike["auc"]), rel=0.05)


def test_a_blind_auc_near_one_has_an_interval_inside_its_range() -> None:
    member = np.arange(200) < 100
    found = interval_of(np.r_[np.ones(99), -1.0, np.zeros(100)], member)["blind_auc"]
    assert found.value == pytest.approx(0.99) and found.low is not None and 0 < found.low < found.value and found.high is not None and found.high <= 1


def test_perfect_separation_has_a_value_and_no_false_interval() -> None:
    member = np.arange(250) < 120
    for scores, value in ((member, 1.0), (~member, 0.0), (member & ~member, 0.5)):
        found = interval_of(scores.astype(float), member)
        assert (found["auc"], found["auc_above_blind"]) == (Interval(value, None, None), Interval(0.0, None, None))


def test_pools_keep_their_numbers_in_every_resample() -> None:
    """Records of members and non-members, and the users of each where users are drawn whole."""
    member = np.arange(70) < 50
    weights = _roc._resampled(member, np.arange(70).astype(str), 300, np.random.default_rng(3))
    assert (weights[:, member].sum(axis=1) == 50).all() and (weights[:, ~member].sum(axis=1) == 20).all()
    assert weights.shape == (300, 70) and np.abs(weights.mean(axis=0) - 1).max() < 6 / np.sqrt(300)  # six deviations: false alarm below 1e-6
    users = np.repeat(np.arange(14), 5).astype(str)
    by_user = _roc._resampled(member, users, 300, np.random.default_rng(4)).reshape(300, 14, 5)
    assert (by_user == by_user[:, :, :1]).all() and (by_user[:, :10, 0].sum(axis=1) == 10).all() and (by_user[:, 10:, 0].sum(axis=1) == 4).all()


def test_chunks_change_the_draws_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunks draw both pools by turns, so another size is another draw: the ends differ by chance alone, less than a tenth of the interval."""
    draw = np.random.default_rng(5)
    member = np.arange(200) < 100
    scores = draw.normal(size=200) + member
    whole = interval_of(scores, member)["auc"]
    monkeypatch.setattr(_roc, "CHUNK", 200 * 150)
    cut = interval_of(scores, member)["auc"]
    assert cut.value == whole.value and cut.low is not None and whole.low is not None and cut.high is not None and whole.high is not None
    assert abs(cut.low - whole.low) < 0.1 * width(whole) and abs(cut.high - whole.high) < 0.1 * width(whole)
