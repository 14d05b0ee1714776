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

from tasks.data.insertion import SPLIT
from tasks.data.prepared import PreparedData

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
    return UNKNOWN_SIZE if size is None else 1 / (10 * int(size))


def audited(needed: Mapping[str, Path], models: int, report: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Minus the loss of each record of each model, and whether it was trained on; a loss that is not finite is the largest."""
    scores, included = [], []
    for index in range(models):
        report.progress(index, models, "reading audited models")
        losses = pd.read_parquet(needed[f"audited/{index}"] / "predictions.parquet")[["id", "loss"]]
        coins = PreparedData(needed[f"audited/{index}/data"]).split(SPLIT)[["id", "included"]]
        table = coins.merge(losses, on="id", validate="one_to_one")
        scores.append(-np.nan_to_num(table["loss"].to_numpy(dtype=float), nan=np.inf, posinf=np.inf))
        included.append(table["included"].to_numpy(dtype=bool))
    return np.concatenate(scores), np.concatenate(included)
