"""Made-up pools and audits: folders as the predict and blind steps leave them, and what an attack says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

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


def shadow_folders(pools: pd.DataFrame, logits: NDArray[np.float64], inside: NDArray[np.bool_], folder: Path) -> dict[str, Path]:
    """What an attack with shadows is handed: logits (S, N) of shadows that were trained on some of the rows."""
    needed = folders(pools, folder)
    for index, (said, members) in enumerate(zip(logits, inside, strict=True)):
        data = folder / f"shadow-{index}-data"
        data.mkdir(exist_ok=True)
        pools.loc[members, ["id"]].to_parquet(data / "train.parquet", index=False)
        needed[f"shadow/{index}/data"] = data
        for split, chosen in (("train", pools["member"]), ("nonmembers", ~pools["member"])):
            needed[f"shadow/{index}/{split}"] = folder / f"shadow-{index}-{split}"
            needed[f"shadow/{index}/{split}"].mkdir(exist_ok=True)
            columns = [column for column in ("id", "user") if column in pools]
            table = pools[columns].assign(loss=np.log1p(np.exp(-said)))[chosen]
            table.to_parquet(needed[f"shadow/{index}/{split}"] / "predictions.parquet", index=False)
    return needed


def measured(kind: str, needed: dict[str, Path], folder: Path, **fields: Any) -> dict[str, Row]:
    """The rows of an attack, by their last word."""
    found = ATTACKS.parse({"kind": kind, **fields})
    assert isinstance(found, Attack)
    return {row.name.rsplit("/", 1)[1]: row for row in found.measure(folder, needed, folder, 0, Quiet()).rows}


def audited_folders(models: Sequence[pd.DataFrame], folder: Path, logits: NDArray[np.float64] | None = None, **facts: Any) -> dict[str, Path]:
    """What an audit is handed: of each model a table with id, included and loss, of intents also label. The logits (N, C) are those of the only model."""
    needed = {}
    for index, table in enumerate(models):
        said, data = needed[f"audited/{index}"], needed[f"audited/{index}/data"] = folder / f"audited-{index}", folder / f"audited-{index}-data"
        for path in (said, data):
            path.mkdir(parents=True, exist_ok=True)
        table.drop(columns="included").to_parquet(said / "predictions.parquet", index=False)
        table[["id", "included"]].sample(frac=1, random_state=1).to_parquet(data / "canaries.parquet", index=False)
        (data / "data.json").write_text(json.dumps({"task": "intent", "labels": [], "slots": [], "public_size": None, **facts}))
        if logits is not None:
            save_file({"intent": logits.astype(np.float32)}, said / "logits.safetensors")
    return needed


def target_folders(folder: Path, public_size: int | None = None, **claim: Any) -> tuple[Path, Path]:
    """The audited model's artifact, as far as an audit reads it, and its data."""
    model, data = folder / "model", folder / "data"
    for path in (model, data):
        path.mkdir(parents=True, exist_ok=True)
    (model / "privacy.json").write_text(json.dumps({"guarantee": "some", **claim} if claim else {"guarantee": "none"}))
    (data / "data.json").write_text(json.dumps({"public_size": public_size}))
    return model, data
