"""Attacks with shadow models on Gaussians, where the closed form is known: LiRA, RMIA, the classifier; and what stands in for what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from tasks.attacks._likelihood_ratio import log_ratio, log_relative, standardised
from tasks.attacks._membership import attacked, log_odds
from tasks.attacks._shadowed import Shadows
from tasks.attacks.attack import ATTACKS
from tasks.attacks.shadowed import ShadowedAttack
from tasks.core.bootstrap import Interval
from tasks.core.measures import Row, ShadowModels
from tests.attacks.made import measured, shadow_folders, two_pools

Floats = NDArray[np.float64]
SHIFT = 1.5
"""How much larger a member's logit is, in standard deviations over models."""


def gaussian(members: int, others: int, shadows: int, difficulty: float = 3.0, seed: int = 0) -> tuple[pd.DataFrame, Floats, NDArray[np.bool_]]:
    """Pools whose records have unlike means, N(0, difficulty^2), and logits N(mean + SHIFT, 1) where a model was trained on them, N(mean, 1) elsewhere."""
    draw = np.random.default_rng(seed)
    pools = two_pools(members, others, seed=seed)
    means = draw.normal(scale=difficulty, size=len(pools))
    target = means + SHIFT * pools["member"].to_numpy() + draw.normal(size=len(pools))
    inside = draw.random((shadows, len(pools))) < 0.5
    logits = means + SHIFT * inside + draw.normal(size=inside.shape)
    return pools.assign(loss=np.log1p(np.exp(-target)), logit=target), logits, inside


def strength(pools: pd.DataFrame, logits: Floats, inside: NDArray[np.bool_], **fields: object) -> dict[str, Row]:
    """The statistics of an attack with these shadows, without files."""
    attack = ATTACKS.parse({"layout": "sequential", **fields})
    assert isinstance(attack, ShadowedAttack)
    scores = attack.compare(pools, Shadows(logits, inside))
    return {name: Row(name=name, value=found.value, low=found.low, high=found.high, interval="items") for name, found in _attacked(pools, scores).items()}


def _attacked(pools: pd.DataFrame, scores: Floats) -> dict[str, Interval]:
    return attacked(pools.rename(columns={"score": "blind"}), scores, {"tpr_at_1pct_fpr": 0.01, "tpr_at_01pct_fpr": 0.001}, 0)


def close(row: Row, expected: float) -> None:
    """Within four standard errors, of an interval of 1.96 on each side: false alarm below 1e-4."""
    assert row.value is not None and row.low is not None and row.high is not None
    assert abs(row.value - expected) < 4 / (2 * 1.96) * (row.high - row.low), (row, expected)


def tpr(fpr: float, shift: float) -> float:
    return float(stats.norm.cdf(stats.norm.ppf(fpr) + shift))


@pytest.mark.parametrize("variance", ["fixed", "per-record"])
def test_lira_is_as_strong_as_the_likelihood_ratio(variance: str) -> None:
    """With 200 shadows each mean is known to a tenth, which costs less than the intervals are wide."""
    made = gaussian(1500, 1500, 200)
    found = strength(*made, kind="lira", variance=variance)
    close(found["auc"], stats.norm.cdf(SHIFT / np.sqrt(2)))
    close(found["tpr_at_1pct_fpr"], tpr(0.01, SHIFT))
    close(found["tpr_at_01pct_fpr"], tpr(0.001, SHIFT))
    threshold = _attacked(made[0], -made[0]["loss"].to_numpy())["auc"]
    assert abs(threshold.value - stats.norm.cdf(SHIFT / np.sqrt(2 * (1 + 9)))) < 0.04  # what it gains: difficulty hides nobody


def test_offline_lira_is_as_strong_where_all_shift_alike() -> None:
    """The one-sided distance from the shadows without a record ranks as the likelihood ratio does, were their mean known."""
    close(strength(*gaussian(1500, 1500, 200), kind="lira", mode="offline")["auc"], stats.norm.cdf(SHIFT / np.sqrt(2)))


def test_offline_lira_is_one_sided() -> None:
    """A logit far below those of shadows without the record is no sign of a member."""
    shadows = Shadows(np.random.default_rng(0).normal(size=(20, 3)), np.zeros((20, 3), dtype=bool))
    low, middle, high = standardised(np.array([-9.0, 0.0, 9.0]), shadows, False)
    assert low < middle < high


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_rmia_is_as_strong_as_a_threshold_where_records_are_alike(mode: str) -> None:
    """Records of one difficulty: the ratio grows with the logit but for the noise of its own references, hardly any with 100 of them."""
    found = strength(*gaussian(1500, 1500, 100, difficulty=0.0), kind="rmia", mode=mode)
    close(found["auc"], stats.norm.cdf(SHIFT / np.sqrt(2)))
    close(found["tpr_at_1pct_fpr"], tpr(0.01, SHIFT))


@pytest.mark.parametrize("gamma", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("offline", [True, False])
def test_rmias_ratio_ranks_as_its_pairwise_shares_do(offline: bool, gamma: float) -> None:
    """The slow twin: for every record the share of the population that it beats by gamma, from probabilities."""
    pools, logits, inside = gaussian(60, 60, 8)
    target, population = pools["logit"].to_numpy(), ~pools["member"].to_numpy()
    relative = log_relative(target, Shadows(logits, inside), offline, 0.3)

    def ratio(place: int) -> float:
        p = 1 / (1 + np.exp(-logits[:, place]))
        out, into = p[~inside[:, place]].mean(), p[inside[:, place]].mean()
        mean = (1.3 * out + 0.7) / 2 if offline else (into + out) / 2
        return float(1 / (1 + np.exp(-target[place])) / mean)

    usable = [place for place in range(len(pools)) if inside[:, place].any() and not inside[:, place].all()]
    ratios = np.array([ratio(place) for place in usable])
    assert np.exp(relative[usable]) == pytest.approx(ratios, rel=1e-9)
    shares = [np.mean([ratios[one] / ratios[other] > gamma for other, place in enumerate(usable) if population[place]]) for one in range(len(usable))]
    order = np.argsort(relative[usable], kind="stable")
    assert (np.diff(np.array(shares)[order]) >= 0).all() and len(set(shares)) > 10


def test_the_classifier_is_as_strong_as_a_threshold() -> None:
    """It calibrates no record: with records of one difficulty it is the threshold, with unlike ones no better than it."""
    close(strength(*gaussian(1500, 1500, 2, difficulty=0.0), kind="shadow")["auc"], stats.norm.cdf(SHIFT / np.sqrt(2)))
    close(strength(*gaussian(1500, 1500, 2), kind="shadow")["auc"], stats.norm.cdf(SHIFT / np.sqrt(20)))


@pytest.mark.parametrize("kind", ["lira", "rmia", "shadow"])
def test_where_nobody_was_trained_on_nothing_is_found(kind: str) -> None:
    """The negative control: membership that no model saw. An interval of 99.99% holds 0.5."""
    pools, logits, inside = gaussian(800, 800, 16)
    shuffled = pools.assign(member=np.random.default_rng(5).permutation(pools["member"]))
    close(strength(shuffled, logits, inside, kind=kind)["auc"], 0.5)


def test_densities_agree_with_scipy() -> None:
    pools, logits, inside = gaussian(40, 40, 30)
    found = log_ratio(pools["logit"].to_numpy(), Shadows(logits, inside), per_record=True)
    for place in range(len(pools)):
        into, out = logits[inside[:, place], place], logits[~inside[:, place], place]
        expected = stats.norm(into.mean(), into.std(ddof=1)).logpdf(pools["logit"][place]) - stats.norm(out.mean(), out.std(ddof=1)).logpdf(
            pools["logit"][place]
        )
        assert found[place] == pytest.approx(expected)


def test_the_fixed_variance_is_pooled_over_records_for_each_side_of_its_own() -> None:
    """The published code takes both from the shadows with the record."""
    draw = np.random.default_rng(0)
    inside = draw.random((40, 3000)) < 0.5
    shadows = Shadows(draw.normal(size=3000) * 5 + np.where(inside, 2.0, 0.5) * draw.normal(size=inside.shape), inside)
    assert shadows.deviation(True, per_record=False)[0] == pytest.approx(2.0, rel=0.02)
    assert shadows.deviation(False, per_record=False)[0] == pytest.approx(0.5, rel=0.02)


def test_a_record_of_all_shadows_or_none_gets_the_usual_distance_and_is_told() -> None:
    pools, logits, inside = gaussian(40, 40, 6)
    inside[:, 0], inside[:, 1] = True, False
    shadows = Shadows(logits, inside)
    known = [place for place in range(80) if 0 < inside[:, place].sum() < 6]
    usual = np.mean([logits[inside[:, place], place].mean() - logits[~inside[:, place], place].mean() for place in known])
    assert shadows.mean(False)[0] == pytest.approx(logits[:, 0].mean() - usual)
    assert shadows.mean(True)[1] == pytest.approx(logits[:, 1].mean() + usual)
    assert np.isfinite(log_ratio(pools["logit"].to_numpy(), shadows, True)).all()
    never_out, never_in = int(inside.all(axis=0).sum()), int((~inside).all(axis=0).sum())
    assert shadows.note(True) == f"{never_out} of 80 were members of every shadow model and {never_in} of none: for these the usual distance stands in"
    assert not Shadows(logits[:, known], inside[:, known]).note(True)


def test_the_note_stands_beside_the_numbers(tmp_path: Path) -> None:
    found = measured("lira", shadow_folders(*gaussian(200, 200, 4), tmp_path), tmp_path, shadows=4)
    assert "were members of every shadow model" in str(found["auc"].reason) and found["blind_auc"].reason is None


def test_who_asks_for_fewer_shadows_takes_the_first(tmp_path: Path) -> None:
    pools, logits, inside = gaussian(300, 300, 8)
    few, many = shadow_folders(pools, logits[:4], inside[:4], tmp_path / "few"), shadow_folders(pools, logits, inside, tmp_path / "many")
    assert measured("lira", few, tmp_path, shadows=4)["auc"].value == measured("lira", many, tmp_path, shadows=4)["auc"].value
    assert measured("lira", many, tmp_path, shadows=8)["auc"].value != measured("lira", many, tmp_path, shadows=4)["auc"].value


@pytest.mark.parametrize(("fields", "count"), [({"kind": "lira", "shadows": 6}, 6), ({"kind": "rmia", "references": 3}, 3), ({"kind": "shadow"}, 4)])
def test_shadows_are_asked_for(fields: dict[str, object], count: int) -> None:
    attack = ATTACKS.parse(fields)
    assert isinstance(attack, ShadowedAttack)
    assert [need.count for need in attack.needs({}) if isinstance(need, ShadowModels)] == [count]


def test_the_membership_of_a_user_is_told_by_the_mean_over_records(tmp_path: Path) -> None:
    """Five records a user, of one difficulty: their mean is as much higher, with a fifth of the variance. 30 shadows know a mean to a fifth: 3% of the AUC."""
    users, each = 400, 5
    draw = np.random.default_rng(0)
    member = np.repeat(np.arange(users) < users // 2, each)
    means = np.repeat(draw.normal(scale=3, size=users), each)
    pools = pd.DataFrame(
        {"id": [f"r{index}" for index in range(users * each)], "user": np.repeat([f"u{index}" for index in range(users)], each), "member": member}
    )
    pools["score"] = np.repeat(draw.normal(size=users), each)
    small = 0.6
    pools["loss"] = np.log1p(np.exp(-(means + small * member + draw.normal(size=len(member)))))
    inside = np.repeat(draw.random((30, users)) < 0.5, each, axis=1)
    logits = means + small * inside + draw.normal(size=inside.shape)
    needed = shadow_folders(pools, logits, inside, tmp_path)
    found = measured("lira", needed, tmp_path, shadows=30, unit="user")
    close(found["auc"], stats.norm.cdf(small * np.sqrt(each) / np.sqrt(2)))
    assert found["auc"].n == users and found["auc"].conditions["protocol"].startswith("members and non-members by a coin per user")
    close(measured("lira", needed, tmp_path, shadows=30)["auc"], stats.norm.cdf(small / np.sqrt(2)))


def test_a_user_in_both_pools_is_refused(tmp_path: Path) -> None:
    pools = two_pools(150, 150).assign(user=[f"u{index % 7}" for index in range(300)])
    with pytest.raises(ValueError, match="draw the pools by user"):
        measured("loss-threshold", shadow_folders(pools, np.zeros((0, 300)), np.zeros((0, 300), dtype=bool), tmp_path), tmp_path, unit="user")


def test_log_odds_keep_apart_what_single_precision_does_not() -> None:
    sure = log_odds(np.array([1e-14, 1e-12, 1e-10]))
    assert (np.diff(sure) < 0).all() and sure[0] == pytest.approx(np.log(1e14), rel=1e-3)
    assert log_odds(np.array([np.log(2)]))[0] == pytest.approx(0.0, abs=1e-12)
    worst = log_odds(np.array([np.nan, np.inf, 1e5, 10.0]))
    assert worst[0] == worst[1] == worst[2] < worst[3] and np.isfinite(worst).all()
    assert np.isfinite(log_odds(np.array([0.0]))).all()
