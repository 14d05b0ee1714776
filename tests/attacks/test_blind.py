"""The blind baseline finds what differs between the pools, finds nothing where a coin made them, and scores no record that it was fitted on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tasks.attacks import _blind, _roc
from tasks.attacks._blind import out_of_fold, write_scores
from tasks.attacks._roc import Ranking, intervals
from tasks.attacks.blind import BLIND, SCORES, BlindConfig
from tasks.core.bootstrap import Interval, clusters_of
from tasks.data.pools import distinct
from tests.conftest import NewRun, Prepare

FALSE_ALARM = 1e-4
CLINC = {"kind": "clinc150", "public_size": 13000, "attack_holdout": 2000}


@pytest.fixture(scope="module")
def utterances(prepare: Prepare) -> pd.DataFrame:
    return distinct(prepare({"kind": "synthetic-assistant", "examples": 800, "task": "intent"}).split("train"))


def by_coin(records: pd.DataFrame, seed: int, share: float = 0.7) -> pd.DataFrame:
    return records.assign(member=np.random.default_rng(seed).random(len(records)) < share)


def interval_of(pools: pd.DataFrame, scores: NDArray[np.float64], seed: int = 0) -> Interval:
    member = pools["member"].to_numpy(dtype=bool)
    ranking = Ranking(scores, member)
    return intervals({"attack": ranking, "blind": ranking}, member, clusters_of(pools), {}, np.random.default_rng(seed))["blind_auc"]


def holds_half(found: Interval) -> bool:
    return found.low is not None and found.high is not None and found.low <= 0.5 <= found.high


def as_prepared(folder: Path, pools: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, chosen in (("train", pools["member"]), ("nonmembers", ~pools["member"])):
        pools[chosen].drop(columns="member").to_parquet(folder / f"{split}.parquet", index=False)
    return folder


def fitted_on(pools: pd.DataFrame, scored: pd.DataFrame) -> float:
    """The AUC of a like classifier, fitted on all of one table and asked of another."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=100, class_weight="balanced", solver="liblinear").fit(vectorizer.fit_transform(pools["text"]), pools["member"])
    return float(roc_auc_score(scored["member"], model.decision_function(vectorizer.transform(scored["text"]))))


@pytest.mark.parametrize("users", [True, False])
def test_on_coin_pools_the_interval_holds_one_half(users: bool, utterances: pd.DataFrame, new_run: NewRun) -> None:
    """20 coins: about one interval in 20 may miss, and as many as 7 with a chance of 1e-4."""
    records = utterances if users else utterances.drop(columns="user")
    found = [by_coin(records, seed) for seed in range(20)]
    missed = sum(not holds_half(interval_of(pools, out_of_fold(pools, seed, new_run()), seed)) for seed, pools in enumerate(found))
    assert stats.binomtest(missed, 20, 0.06, alternative="greater").pvalue > FALSE_ALARM


@pytest.mark.slow
def test_intervals_are_as_wide_as_the_blind_auc_spreads_over_coins(utterances: pd.DataFrame, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 coins, a chi-squared test at 1e-4 each way: a bootstrap of fixed scores, which forgets that they were fitted, is too narrow."""
    monkeypatch.setattr(_roc, "RESAMPLES", 300)
    records, squares = utterances.drop(columns="user").head(400), []
    for seed in range(60):
        pools = by_coin(records, seed)
        found = interval_of(pools, out_of_fold(pools, seed, new_run()), seed)
        assert found.low is not None and found.high is not None
        squares.append(((found.value - 0.5) / ((found.high - found.low) / 3.92)) ** 2)
    assert stats.chi2.sf(sum(squares), len(squares)) > FALSE_ALARM
    assert stats.chi2.sf(sum(squares) * _roc.OUT_OF_FOLD**2, len(squares)) < FALSE_ALARM


def test_a_word_that_members_alone_say_is_found(utterances: pd.DataFrame, new_run: NewRun) -> None:
    pools = by_coin(utterances, 0)
    pools.loc[pools["member"], "text"] += " indeed"
    found = interval_of(pools, out_of_fold(pools, 0, new_run()))
    assert found.value > 0.98 and not holds_half(found)


def test_a_label_and_a_length_that_differ_are_found(new_run: NewRun) -> None:
    member = np.arange(300) < 150
    plain = pd.DataFrame({"id": [f"r{index}" for index in range(300)], "text": "the same words", "label": "one", "member": member})
    labelled = plain.assign(label=np.where(member, "pay bill", "pay_bills"))
    longer = plain.assign(text=np.where(member, "the same words", "the same words" + " " * 40))
    for pools in (labelled, longer):
        assert roc_auc_score(member, out_of_fold(pools, 0, new_run())) > 0.98
    scores = out_of_fold(plain, 0, new_run())
    assert 0.4 < roc_auc_score(member, scores) < 0.6


def test_records_are_scored_out_of_fold(utterances: pd.DataFrame, new_run: NewRun) -> None:
    """A classifier that is asked of what it was fitted on tells random pools apart; ours is near one half."""
    pools = by_coin(utterances, 1, share=0.5)
    assert fitted_on(pools, pools) > 0.9
    assert abs(float(roc_auc_score(pools["member"], out_of_fold(pools, 1, new_run()))) - 0.5) < 0.12


@pytest.mark.parametrize("count", [3, 5, 40])
def test_no_user_stands_on_both_sides_of_a_fold(count: int, utterances: pd.DataFrame) -> None:
    users = pd.Series([f"u{index % count}" if index % 7 else None for index in range(len(utterances))], index=utterances.index)
    pools = by_coin(utterances, 2).assign(user=users)
    unit = clusters_of(pools)
    seen = np.zeros(len(pools), dtype=int)
    for fitted, scored in _blind._folds(pools, pools["member"].to_numpy(), 0):
        assert not set(unit[fitted]) & set(unit[scored])
        seen[scored] += 1
    assert (seen == 1).all()
    apart = _blind._folds(pools.drop(columns="user"), pools["member"].to_numpy(), 0)
    assert all(set(unit[fitted]) & set(unit[scored]) for fitted, scored in apart)  # so that sharing users would be seen


def test_few_users_are_folded_by_user(utterances: pd.DataFrame) -> None:
    member = by_coin(utterances, 2)["member"].to_numpy()
    pools = utterances.assign(user=np.where(np.arange(len(utterances)) % 3 == 0, "x", "y"))
    assert [sorted(set(pools["user"].iloc[scored])) for _, scored in _blind._folds(pools, member, 0)] in ([["x"], ["y"]], [["y"], ["x"]])
    assert len(list(_blind._folds(utterances.assign(user="x"), member, 0))) == 5  # one user: nothing to keep apart


def test_a_user_who_alone_makes_a_pool_is_no_crash(utterances: pd.DataFrame, new_run: NewRun) -> None:
    """Without that user's fold, a classifier would know one pool alone."""
    member = np.arange(len(utterances)) >= 30
    users = np.where(member, [f"u{index % 9}" for index in range(len(utterances))], "all the others")
    scores = out_of_fold(utterances.assign(member=member, user=users), 0, new_run())
    assert np.isfinite(scores).all() and (scores[~member] == 0).all() and (scores != 0).any()


def test_pools_too_small_for_folds_score_zero(utterances: pd.DataFrame, new_run: NewRun) -> None:
    pools = utterances.assign(member=np.arange(len(utterances)) >= 4)
    assert (out_of_fold(pools, 0, new_run()) == 0).all()


def test_missing_labels_texts_and_users_are_no_crash(utterances: pd.DataFrame, new_run: NewRun) -> None:
    pools = by_coin(utterances, 3)
    pools.loc[pools.index[::3], ["label", "user"]] = None
    pools.loc[pools.index[::5], "text"] = None
    assert np.isfinite(out_of_fold(pools, 0, new_run())).all()


def test_the_same_seed_gives_the_same_scores(utterances: pd.DataFrame, new_run: NewRun, tmp_path: Path) -> None:
    folder, found = as_prepared(tmp_path, by_coin(utterances, 4)), []
    for seed in (0, 0, 1):
        run = new_run()
        write_scores(folder, seed, run)
        found.append(pd.read_parquet(run.folder / SCORES))
    assert found[0].equals(found[1]) and not found[0]["score"].equals(found[2]["score"])


def test_what_is_kept_holds_no_text(utterances: pd.DataFrame, new_run: NewRun, tmp_path: Path) -> None:
    pools, run = by_coin(utterances, 5), new_run()
    BLIND.work(BlindConfig(), {"data": as_prepared(tmp_path, pools)}, 0, run)
    kept = pd.read_parquet(run.folder / SCORES)
    assert {name: str(kind) for name, kind in kept.dtypes.items() if name != "id"} == {"member": "bool", "score": "float64"}
    assert list(kept.columns) == ["id", "member", "score"] and sorted(kept["id"]) == sorted(pools["id"])
    assert kept.set_index("id")["member"].sort_index().equals(pools.set_index("id")["member"].sort_index())
    assert [path.name for path in run.folder.iterdir()] == [SCORES]


@pytest.fixture(scope="module")
def clinc(catalogue: Path, prepare: Prepare) -> Callable[..., Any]:
    def made(**fields: Any) -> Any:
        return prepare({**CLINC, **fields}, cache=catalogue)

    return made


def test_coin_pools_of_clinc150_are_alike(clinc: Callable[..., Any], new_run: NewRun) -> None:
    run = new_run()
    write_scores(clinc().folder, 0, run)
    scores = pd.read_parquet(run.folder / SCORES)
    assert 1800 < (~scores["member"]).sum() < 2200
    found = interval_of(scores, scores["score"].to_numpy())
    assert holds_half(found)


def test_official_splits_of_clinc150_are_not(clinc: Callable[..., Any], new_run: NewRun) -> None:
    official = clinc(public_size=None, attack_holdout=0)
    pools = pd.concat([official.split("train").assign(member=True), official.split("test").assign(member=False)], ignore_index=True)
    found = interval_of(pools, out_of_fold(pools, 0, new_run()))
    assert 0.62 <= found.value <= 0.72 and not holds_half(found)
