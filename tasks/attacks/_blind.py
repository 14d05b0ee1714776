"""A classifier of texts that has never seen a model: TF-IDF and logistic regression, scored out of fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.attacks.blind import SCORES
from tasks.core.bootstrap import clusters_of
from tasks.core.seeds import derive
from tasks.core.step import StepRun
from tasks.data.insertion import is_inserted
from tasks.data.pools import as_text
from tasks.data.prepared import PreparedData

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
MOST_FEATURES = 50_000


def write_scores(data: Path, seed: int, run: StepRun) -> None:
    """Score every member and non-member by a classifier that was fitted without it, nor any record of its user."""
    prepared = PreparedData(data)
    records = pd.concat([prepared.split("train").assign(member=True), prepared.split("nonmembers").assign(member=False)], ignore_index=True)
    records = records[~is_inserted(records)].reset_index(drop=True)
    found = records[["id", "member"]].copy()
    found["score"] = out_of_fold(records, derive(seed, "blind-folds") % 2**32, run)
    found.to_parquet(run.folder / SCORES, index=False)


def out_of_fold(records: pd.DataFrame, seed: int, run: StepRun) -> NDArray[np.float64]:
    """(N,) scores, larger for likelier members; zeros where a pool is too small to be folded."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    member = records["member"].to_numpy(dtype=bool)
    scores = np.zeros(len(records))
    if min(member.sum(), (~member).sum()) < FOLDS:
        return scores
    texts = label_and_text(records)
    lengths = records["text"].map(as_text).str.len().to_numpy(dtype=float)[:, None] / 100
    for fold, (fitted, scored) in enumerate(_folds(records, member, seed)):
        run.report.progress(fold, FOLDS, "blind baseline")
        if not len(scored) or len(np.unique(member[fitted])) < 2:
            continue
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_FEATURES)
        features = hstack([vectorizer.fit_transform(texts.iloc[fitted]), lengths[fitted]]).tocsr()
        model = LogisticRegression(class_weight="balanced", solver="liblinear", random_state=seed).fit(features, member[fitted])
        scores[scored] = model.decision_function(hstack([vectorizer.transform(texts.iloc[scored]), lengths[scored]]).tocsr())
    return scores


def label_and_text(records: pd.DataFrame) -> pd.Series:
    """Text with its label, as the attacker knows both."""
    texts = records["text"].map(as_text)
    if "label" not in records:
        return texts
    return texts + " label_" + records["label"].fillna("").astype(str).str.replace(r"\W", "_", regex=True)


def _folds(records: pd.DataFrame, member: NDArray[np.bool_], seed: int) -> Any:
    """Stratified, with all records of a user in one fold where the data names more than one user; as many folds as users, if few."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    users = clusters_of(records)
    count = len(np.unique(users))
    if "user" in records and count > 1:
        return StratifiedGroupKFold(min(FOLDS, count), shuffle=True, random_state=seed).split(records, member, users)
    return StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(records, member)
