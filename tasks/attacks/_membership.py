"""The records of both pools with their losses and blind scores, and the attack on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.attacks._roc import Ranking, intervals
from tasks.attacks.blind import SCORES
from tasks.core.bootstrap import Interval, clusters_of
from tasks.core.seeds import numpy_generator


def pools(needed: Mapping[str, Path]) -> pd.DataFrame:
    """One row per record: id, loss, member, score, and user where the data names users. Raises ValueError for a record without a score."""
    parts = [
        pd.read_parquet(needed[f"predictions/{split}"] / "predictions.parquet").assign(member=member)
        for split, member in (("train", True), ("nonmembers", False))
    ]
    table = pd.concat(parts, ignore_index=True)
    blind = pd.read_parquet(needed["blind"] / SCORES)[["id", "score"]]
    found = table[[column for column in ("id", "user", "loss", "member") if column in table]].merge(blind, on="id", validate="one_to_one")
    if len(found) < len(table):
        raise ValueError(f"{len(table) - len(found)} of {len(table)} records have no blind score")
    return found


def attacked(table: pd.DataFrame, rates: Mapping[str, float], seed: int) -> dict[str, Interval]:
    """Every statistic with its interval; losses that are not finite count as the largest."""
    member = table["member"].to_numpy(dtype=bool)
    losses = np.nan_to_num(table["loss"].to_numpy(dtype=float), nan=np.inf, posinf=np.inf)
    rankings = {"attack": Ranking(-losses, member), "blind": Ranking(table["score"].to_numpy(dtype=float), member)}
    return intervals(rankings, member, clusters_of(table), rates, numpy_generator(seed, "bootstrap", entity="membership"))
