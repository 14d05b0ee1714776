"""The loss threshold on made-up losses: its rows and their conditions, when it doubts itself, when it says nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats
from sklearn.metrics import roc_auc_score

from tasks.attacks.attack import ATTACKS
from tasks.attacks.blind import BlindBaseline
from tasks.core.measures import Predictions
from tests.attacks.made import PREFIX, attack, folders, rows, two_pools

NAMES = ["auc", "blind_auc", "auc_above_blind", "tpr_at_1pct_fpr", "precision_at_1pct_fpr"]
PRIOR = {"prior": "0.1"}


def test_rows_carry_their_names_numbers_and_conditions(tmp_path: Path) -> None:
    pools = two_pools()
    found = rows(pools, tmp_path)
    assert list(found) == NAMES
    assert found["auc"].value == pytest.approx(roc_auc_score(pools["member"], -pools["loss"]))
    assert found["blind_auc"].value == pytest.approx(roc_auc_score(pools["member"], pools["score"]))
    assert found["auc_above_blind"].value == pytest.approx(found["auc"].value - found["blind_auc"].value)  # type: ignore[operator]
    others = np.sort(pools["loss"][~pools["member"]])
    assert found["tpr_at_1pct_fpr"].value == pytest.approx((pools["loss"][pools["member"]] < others[2]).mean())  # two of 200 may be taken for members
    for row in found.values():
        assert (row.n, row.direction, row.status, row.highest, row.interval) == (600, "lower", "ok", 1.0, "items")
        assert row.low is not None and row.high is not None and row.value is not None and row.low <= row.value <= row.high
        assert row.lowest == (-1.0 if row.name.endswith("above_blind") else 0.0)
        prior = PRIOR if row.name.endswith("precision_at_1pct_fpr") else {}
        assert row.conditions == {"protocol": "members and non-members by a coin per record; score -loss"} | prior


def test_conditions_are_those_of_every_seed(tmp_path: Path) -> None:
    """Other pools, other losses, another number of non-members: still one column."""
    found = [rows(two_pools(others=200 + seed, seed=seed), tmp_path / str(seed), seed) for seed in range(3)]
    assert len({str([(name, row.conditions, row.direction) for name, row in one.items()]) for one in found}) == 1
    assert len({one["auc"].value for one in found}) == 3


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_gaussian_losses_are_found_as_their_closed_form_says(shift: float, tmp_path: Path) -> None:
    """Four standard errors of a 95% interval's half width of 1.96: false alarm below 1e-4."""
    row = rows(two_pools(2000, 1500, shift), tmp_path)["auc"]
    assert row.value is not None and row.low is not None and row.high is not None
    assert abs(row.value - stats.norm.cdf(shift / math.sqrt(2))) < 4 / (2 * 1.96) * (row.high - row.low)


@pytest.mark.parametrize("blind", [0.0, 0.5, -0.5])
def test_it_is_confounded_when_the_blind_interval_excludes_one_half(blind: float, tmp_path: Path) -> None:
    found = rows(two_pools(blind=blind), tmp_path)
    low, high = found["blind_auc"].low, found["blind_auc"].high
    assert low is not None and high is not None and (low <= 0.5 <= high) == (blind == 0.0)
    assert {row.status for row in found.values()} == {"confounded" if blind else "ok"}
    said = f"a classifier that sees no model tells the pools apart (AUC {low:.3f} to {high:.3f})"
    assert {row.reason for row in found.values()} == {said if blind else None} and all(row.value is not None for row in found.values())


def test_pools_that_are_told_apart_without_fail_are_confounded_too(tmp_path: Path) -> None:
    """Then resamples have no spread and there is no interval, which must not read as no doubt."""
    pools = two_pools()
    found = rows(pools.assign(score=pools["member"].astype(float)), tmp_path / "apart")
    assert found["blind_auc"].low is None and {row.status for row in found.values()} == {"confounded"}
    alike = rows(pools.assign(score=0.0), tmp_path / "alike")
    assert alike["blind_auc"].value == 0.5 and {row.status for row in alike.values()} == {"ok"}
    assert alike["blind_auc"].reason == "no interval: every resample is alike" and alike["auc"].reason is None


@pytest.mark.parametrize(("members", "others"), [(400, 99), (99, 400), (400, 1)])
def test_too_few_of_a_pool_give_no_number(members: int, others: int, tmp_path: Path) -> None:
    found = rows(two_pools(members, others), tmp_path)
    assert list(found) == NAMES
    for row in found.values():
        assert (row.value, row.low, row.status, row.n) == (None, None, "insufficient_evidence", members + others)
        assert row.reason == f"{members} members and {others} non-members; 100 of each are needed"
    enough = rows(two_pools(100, 199), tmp_path / "enough")
    assert {name for name, row in enough.items() if row.status != "ok"} == {"tpr_at_1pct_fpr", "precision_at_1pct_fpr"}
    assert enough["tpr_at_1pct_fpr"].reason == "199 non-members; 200 are needed for a rate of 0.01"
    assert {row.status for row in rows(two_pools(100, 200), tmp_path / "more").values()} == {"ok"}


@pytest.mark.parametrize(("others", "told"), [(999, False), (1000, True)])
def test_a_rate_of_a_thousandth_needs_a_thousand_non_members(others: int, told: bool, tmp_path: Path) -> None:
    found = rows(two_pools(300, others), tmp_path)
    assert list(found) == [*NAMES, *(["tpr_at_01pct_fpr"] if told else [])]
    if told:
        assert found["tpr_at_01pct_fpr"].value is not None and found["tpr_at_01pct_fpr"].value <= (found["tpr_at_1pct_fpr"].value or 0)


def test_items_hold_ids_and_numbers_alone(tmp_path: Path) -> None:
    pools = two_pools().assign(user="a name", group="a", label="a secret", text="my pin is 4711")
    pools["user"] = [f"user {index % 70}" for index in range(len(pools))]
    measures = attack(pools, tmp_path)
    assert {name: type(column[0]) for name, column in measures.items.items()} == {
        "id": str,
        "cluster": str,
        "member": int,
        "score": float,
        "loss": float,
        "blind": float,
    }
    assert len(set(measures.items["cluster"])) == 70 and not any("user" in cluster for cluster in measures.items["cluster"]), "digests, not names"
    kept = pd.DataFrame(dict(measures.items)).set_index("id")
    given = pools.set_index("id")
    assert kept["loss"].equals(given["loss"]) and (kept["member"] == given["member"]).all()
    assert kept["blind"].to_dict() == given["score"].to_dict()  # joined by id: the file is in another order
    measures.save(tmp_path)
    assert not any(b"4711" in path.read_bytes() for path in (tmp_path / "items.parquet", tmp_path / "measures.json"))


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_counts_as_the_largest(broken: float, tmp_path: Path) -> None:
    pools = two_pools()
    worst = pools["loss"].where(pools.index % 5 != 0, 1e9)
    found, expected = rows(pools.assign(loss=worst.replace(1e9, broken)), tmp_path / "a"), rows(pools.assign(loss=worst), tmp_path / "b")
    assert found == expected and found["auc"] != rows(pools, tmp_path / "c")["auc"]
    every = rows(pools.assign(loss=broken), tmp_path / "d")
    assert every["auc"].value == 0.5 and every["auc"].low is None and every["tpr_at_1pct_fpr"].value == 0.0


def test_records_of_a_user_are_drawn_whole(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pools = two_pools(400, 400)
    pools["loss"] = np.repeat(draw.normal(size=80), 10) - pools["member"]
    pools["user"] = np.repeat([f"u{index}" for index in range(80)], 10)
    by_user, by_record = rows(pools, tmp_path / "a")["auc"], rows(pools.drop(columns="user"), tmp_path / "b")["auc"]
    assert by_user.low is not None and by_user.high is not None and by_record.low is not None and by_record.high is not None
    assert by_user.value == by_record.value
    assert (by_user.high - by_user.low) / (by_record.high - by_record.low) == pytest.approx(math.sqrt(10), rel=0.2)


def test_a_label_replaces_the_kind_in_names(tmp_path: Path) -> None:
    found = [row.name for row in attack(two_pools(), tmp_path, label="by-loss").rows]
    assert found == [f"privacy/by_loss/{name}" for name in NAMES] and not any(name.startswith(PREFIX) for name in found)


def test_the_same_seed_gives_the_same_measures(tmp_path: Path) -> None:
    found = [attack(two_pools(), tmp_path, seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] and found[0].rows != found[2].rows
    assert [row.value for row in found[0].rows] == [row.value for row in found[2].rows]


def test_a_record_that_stands_in_both_pools_or_has_no_score_is_refused(tmp_path: Path) -> None:
    pools = two_pools()
    with pytest.raises(pd.errors.MergeError):
        attack(pd.concat([pools, pools.head(1).assign(member=False)], ignore_index=True), tmp_path / "twice")
    needed = folders(pools, tmp_path / "lost")
    scores = pd.read_parquet(needed["blind"] / "scores.parquet")
    scores.head(-1).to_parquet(needed["blind"] / "scores.parquet", index=False)
    found = ATTACKS.parse({"kind": "loss-threshold"})
    with pytest.raises(ValueError, match="blind score"):
        found.measure(tmp_path, needed, tmp_path, 0, None)  # type: ignore[attr-defined]


def test_it_needs_both_pools_and_the_blind_baseline_and_has_no_knobs() -> None:
    found = ATTACKS.parse({"kind": "loss-threshold"})
    assert found.needs({}) == (Predictions(split="train"), Predictions(split="nonmembers"), BlindBaseline())  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        ATTACKS.parse({"kind": "loss-threshold", "threshold": 0.5})
