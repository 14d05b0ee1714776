"""Quantile regression of the logits of non-members on what is known of a record without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.attacks._blind import label_and_text
from tasks.core.bootstrap import clusters_of
from tasks.core.seeds import derive
from tasks.data.prepared import PreparedData

FOLDS = 5
FEATURES = 50


def above(table: pd.DataFrame, data: Path, quantile: float, unit: str, seed: int, report: Any) -> NDArray[np.float64]:
    """(N,) logit less the learnt quantile; each record by trees that learnt on other non-members, by a fold of its own."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    known = _features(data, table, unit, derive(seed, "quantile-features") % 2**32)
    logit, member = table["logit"].to_numpy(dtype=float), table["member"].to_numpy(dtype=bool)
    _, unit_of = np.unique(clusters_of(table), return_inverse=True)
    fold = np.random.default_rng(derive(seed, "quantile-folds")).permutation(int(unit_of.max()) + 1)[unit_of] % FOLDS
    expected = np.zeros(len(table))
    for number in range(FOLDS):
        report.progress(number, FOLDS, "learning quantiles")
        learnt, asked = ~member & (fold != number), fold == number
        trees = HistGradientBoostingRegressor(
            loss="quantile", quantile=quantile, max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=20, random_state=number
        )
        expected[asked] = trees.fit(known[learnt], logit[learnt]).predict(known[asked])
    return logit - expected


def _features(data: Path, table: pd.DataFrame, unit: str, seed: int) -> NDArray[np.float64]:
    """(N, D) leading directions of TF-IDF of text and label, and the length; of a user the mean over the records."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    prepared = PreparedData(data)
    records = pd.concat([prepared.split("train"), prepared.split("nonmembers")], ignore_index=True)
    records = records[records["id"].isin(table["id"]) if unit == "example" else records["user"].isin(table["user"])].reset_index(drop=True)
    weights = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(label_and_text(records))
    directions = TruncatedSVD(min(FEATURES, weights.shape[1] - 1), random_state=seed).fit_transform(weights)
    found = pd.DataFrame(np.column_stack([directions, records["text"].str.len().to_numpy(dtype=float)]))
    by = "id" if unit == "example" else "user"
    return found.groupby(records[by]).mean().loc[table[by]].to_numpy()
