"""Made-up pools: folders as the predict and blind steps leave them, and what an attack says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.attacks.attack import ATTACKS, Attack
from tasks.attacks.blind import SCORES
from tasks.core.measures import Measures, Row

PREFIX = "privacy/loss_threshold/"


class Quiet:
    """A report that nobody reads."""

    def progress(self, *said: Any) -> None:
        return


def two_pools(members: int = 400, others: int = 200, shift: float = 1.0, blind: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Normal losses, smaller by ``shift`` for members; normal blind scores, larger by ``blind`` for members."""
    draw = np.random.default_rng(seed)
    member = np.arange(members + others) < members
    size = len(member)
    losses, scores = draw.normal(size=size) - shift * member, draw.normal(size=size) + blind * member
    return pd.DataFrame({"id": [f"r{index}" for index in range(size)], "member": member, "loss": losses, "score": scores})


def folders(pools: pd.DataFrame, folder: Path) -> dict[str, Path]:
    """What a measurement is handed."""
    needed = {f"predictions/{split}": folder / split for split in ("train", "nonmembers")} | {"blind": folder / "blind"}
    for path in needed.values():
        path.mkdir(parents=True, exist_ok=True)
    for split, chosen in (("train", pools["member"]), ("nonmembers", ~pools["member"])):
        pools[chosen].drop(columns=["member", "score"]).to_parquet(folder / split / "predictions.parquet", index=False)
        (folder / split / "predictions.json").write_text(json.dumps({"split": split, "n": int(chosen.sum()), "data": split, "task": "intent"}))
    pools[["id", "member", "score"]].sample(frac=1, random_state=1).to_parquet(folder / "blind" / SCORES, index=False)
    return needed


def attack(pools: pd.DataFrame, folder: Path, seed: int = 0, **fields: Any) -> Measures:
    """What the loss threshold says of two pools."""
    found = ATTACKS.parse({"kind": "loss-threshold", **fields})
    assert isinstance(found, Attack)
    return found.measure(folder, folders(pools, folder), folder, seed, Quiet())


def rows(pools: pd.DataFrame, folder: Path, seed: int = 0) -> dict[str, Row]:
    """Its rows by their last word."""
    return {row.name.removeprefix(PREFIX): row for row in attack(pools, folder, seed).rows}


def weights_of_one(size: int) -> NDArray[np.float64]:
    """Every record once."""
    return np.ones((1, size))
