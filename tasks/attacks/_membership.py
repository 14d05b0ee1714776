"""The records, or users, of both pools with their losses and blind scores, and the attack on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.attacks._roc import Ranking, intervals
from tasks.attacks.blind import SCORES
from tasks.core.bootstrap import Interval, clusters_of
from tasks.core.seeds import numpy_generator
from tasks.data.insertion import is_inserted

SMALLEST = 1e-300
"""Of a probability whose logarithm is taken."""


def pools(needed: Mapping[str, Path], unit: str = "example") -> pd.DataFrame:
    """One row per record, or per user: id, loss, logit, member, blind, and user where the data names users. Inserted records are left out.

    Raises:
        ValueError: for a record without a score.
    """
    table = pd.concat(
        [asked(needed[f"predictions/{split}"]).assign(member=member) for split, member in (("train", True), ("nonmembers", False))], ignore_index=True
    )
    blind = pd.read_parquet(needed["blind"] / SCORES)[["id", "score"]].rename(columns={"score": "blind"})
    found = table.merge(blind, on="id", validate="one_to_one")
    if len(found) < len(table):
        raise ValueError(f"{len(table) - len(found)} of {len(table)} records have no blind score")
    return found if unit == "example" else by_user(found)


def asked(predictions: Path) -> pd.DataFrame:
    """What a model says of a split: id, user where there is one, loss, and logit, which is the log odds of the right answer."""
    table = pd.read_parquet(predictions / "predictions.parquet")
    found = table.loc[~is_inserted(table), [column for column in ("id", "user", "loss") if column in table]].reset_index(drop=True)
    return found.assign(logit=log_odds(found["loss"].to_numpy(dtype=float)))


def log_odds(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 - p)) of p = exp(-loss), the score that is nearly normal over models (Carlini et al., S&P 2022). A loss that is not finite is the largest."""
    known = np.nan_to_num(loss, nan=np.inf, posinf=np.inf)
    return np.asarray(np.maximum(-known, np.log(SMALLEST)) - np.log(np.maximum(-np.expm1(-known), SMALLEST)))


def by_user(records: pd.DataFrame) -> pd.DataFrame:
    """One row per user: means over the records of each; a record without a user is left out."""
    known = records[records["user"].notna()]
    means = known.groupby("user", as_index=False, sort=True)[["loss", "logit", "blind"]].mean()
    member = known.groupby("user", sort=True)["member"].agg(["min", "max"])
    mixed = int((member["min"] != member["max"]).sum())
    if mixed:
        raise ValueError(f"{mixed} users are members by some of their records and non-members by others: draw the pools by user")
    return means.assign(id=means["user"].astype(str), member=member["max"].to_numpy(dtype=bool))


def attacked(table: pd.DataFrame, scores: NDArray[np.float64], rates: Mapping[str, float], seed: int) -> dict[str, Interval]:
    """Every statistic with its interval; a score that is no number counts as the smallest."""
    member = table["member"].to_numpy(dtype=bool)
    known = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    rankings = {"attack": Ranking(known, member), "blind": Ranking(table["blind"].to_numpy(dtype=float), member)}
    return intervals(rankings, member, clusters_of(table), rates, numpy_generator(seed, "bootstrap", entity="membership"))
