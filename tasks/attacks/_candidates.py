"""The canaries of a model, and what the model loses on candidates for their secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from tasks.core.bootstrap import LEVEL
from tasks.data._canaries import Canary, canaries_of
from tasks.data.canary import CANARIES, Canaries
from tasks.data.insertion import SPLIT
from tasks.data.prepared import PreparedData
from tasks.models.artifact import LoadedModel, load_model
from tasks.models.batches import encode_split
from tasks.models.predicting import total_losses

Floats = NDArray[np.float64]
Secret = tuple[str, ...]
AT_ONCE = 20_000
"""Candidates that are encoded together."""


@dataclass(frozen=True)
class Hunted:
    """A model and its canaries.

    Args:
        loaded: the model.
        block: what is known of all canaries.
        canaries: the canaries.
        secrets: their secrets, which no attack may look at before it is done.
        ids: as items are named.
        device: where the model is.
    """

    loaded: LoadedModel
    block: Canaries
    canaries: Sequence[Canary]
    secrets: Sequence[Secret]
    ids: Sequence[str]
    device: str

    def losses(self, canary: Canary, secrets: Sequence[Sequence[str]], progress: Callable[[float, float], None] = lambda *_: None) -> Floats:
        """(K,) what the model loses on the canary's record with each secret in it."""
        found = []
        for start in range(0, len(secrets), AT_ONCE):
            part = secrets[start : start + AT_ONCE]
            records = pd.DataFrame([canary.record(secret) for secret in part])
            encoded = encode_split(records, self.loaded.encoder, self.loaded.shape)
            found.append(total_losses(self.loaded, encoded, self.device, lambda *_: None).numpy())
            progress(min(start + AT_ONCE, len(secrets)), len(secrets))
        return np.concatenate(found)

    def every_secret(self) -> list[Secret]:
        """All candidates, in the order of the alphabet."""
        return list(product(self.block.alphabet, repeat=self.block.length))


def hunted(model: Path, data: Path, device: str) -> Hunted:
    """The canaries of the prepared data and the model that was trained on it. Raises KeyError where nothing was inserted."""
    prepared = PreparedData(data)
    block = CANARIES.parse(prepared.facts["inserted"]["block"])
    assert isinstance(block, Canaries)
    listed = prepared.split(SPLIT)
    secrets = [tuple(secret.split()) for secret in listed["secret"]]
    return Hunted(load_model(model, device), block, canaries_of(block, prepared.task), secrets, listed["id"].tolist(), device)


def interval_of(values: Sequence[float], ends: tuple[float, float], share: bool) -> tuple[float, float | None, float | None]:
    """The mean of independent values with its 95% interval: Clopper and Pearson's (1934) of a share of ones, else Student's, cut at the ends."""
    mean = float(np.mean(values))
    if share:
        found = stats.binomtest(round(sum(values)), len(values)).proportion_ci(LEVEL, method="exact")
        return mean, float(found.low), float(found.high)
    if len(values) < 2:
        return mean, None, None
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, max(ends[0], mean - half), min(ends[1], mean + half)


def said(hunted: Hunted, **columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Items of a measure, one per canary: numbers, never a secret."""
    return {"id": list(hunted.ids), "cluster": list(hunted.ids), **columns}
