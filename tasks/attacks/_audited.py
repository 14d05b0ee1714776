"""What audited models say of the records that were made for the audit, and what the target claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tasks.data.insertion import SPLIT
from tasks.data.prepared import PreparedData
from tasks.privacy.privacy import default_delta

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SMALLEST = 1e-300
"""Of a weight whose logarithm is taken."""
UNKNOWN_SIZE = 1e-5
"""Delta where no public size says how many people there are."""


@dataclass(frozen=True)
class Claim:
    """What a model's own account says."""

    epsilon: float
    delta: float
    unit: str


def claim_of(model: Path) -> Claim | None:
    """The claim of a model artifact; None for one that was trained without privacy."""
    account = json.loads((model / "privacy.json").read_text())
    return Claim(float(account["epsilon"]), float(account["delta"]), str(account["unit"])) if "epsilon" in account else None


def usual_delta(data: Path) -> float:
    """That which a mechanism would have by default on this data, for a target without one: their bounds stand in one column."""
    size = PreparedData(data).facts["public_size"]
    return UNKNOWN_SIZE if size is None else default_delta(int(size))


def audited(needed: Mapping[str, Path], models: int, report: Any) -> tuple[Floats, Bools]:
    """The score of each record of each model, larger for likelier members, and whether it was trained on."""
    scores, included = [], []
    for index in range(models):
        report.progress(index, models, "reading audited models")
        said, data = needed[f"audited/{index}"], PreparedData(needed[f"audited/{index}/data"])
        table = pd.read_parquet(said / "predictions.parquet")
        coins = data.split(SPLIT).set_index("id")["included"]
        scores.append(_scores(table, said / "logits.safetensors", data.labels))
        included.append(coins.loc[table["id"]].to_numpy(dtype=bool))
    return np.concatenate(scores), np.concatenate(included)


def _scores(table: pd.DataFrame, logits: Path, labels: tuple[str, ...]) -> Floats:
    """(N,) minus the loss, with what an intent loses told as log odds, less those that the model gives to the same label on records with other ones: some
    labels are likelier on every text, which says nothing of any one record. A score that is not finite is the smallest.
    """
    scores = -table["loss"].to_numpy(dtype=float)
    if logits.exists():
        said = load_file(logits)["intent"].astype(float)
        known = np.isfinite(said).all(axis=1)
        odds, places = log_odds_of_all(np.where(known[:, None], said, 0.0)), np.array([labels.index(label) for label in table["label"]])
        own = odds[np.arange(len(odds)), places]
        scores = np.where(known, scores + np.logaddexp(0.0, -own) + own - _usual(odds, places, known), np.nan)
    return np.where(np.isnan(scores), -np.inf, scores)


def log_odds_of_all(logits: Floats) -> Floats:
    """(N, C) log(p / (1 - p)) of every label, from logits (N, C); exact also where one label has all the weight."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    first = np.arange(logits.shape[1]) == shifted.argmax(axis=1)[:, None]
    rest = np.where(first, 0.0, np.exp(shifted))
    others = np.where(first, 0.0, 1.0) + rest.sum(axis=1, keepdims=True) - rest
    return np.asarray(shifted - np.log(np.maximum(others, SMALLEST)))


def _usual(odds: Floats, places: NDArray[np.int64], known: Bools) -> Floats:
    """(N,) for the label of each record the median of its log odds (N, C) over known records with other labels; 0 where there are none."""
    found = np.zeros(odds.shape[1])
    for label in np.unique(places):
        others = odds[known & (places != label), label]
        found[label] = np.median(others) if len(others) else 0.0
    return np.asarray(found[places])
