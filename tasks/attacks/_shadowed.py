"""What shadow models say of the target's pools, and in which of them each record was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.attacks._membership import asked
from tasks.data.prepared import PreparedData

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shadows:
    """S shadow models on N rows.

    Args:
        logit: (S, N) log odds of the right answer.
        inside: (S, N) bool, whether the shadow was trained on the row.
    """

    logit: Floats
    inside: NDArray[np.bool_]

    def mean(self, of_inside: bool) -> Floats:
        """(N,) mean logit over the shadows that the row was in, or was not in.

        A row that has none takes its mean over the others and the usual distance between the two: of no information, and told by ``note``.
        """
        own, other = (self.inside, ~self.inside) if of_inside else (~self.inside, self.inside)
        found, rest = _means(self.logit, own), _means(self.logit, other)
        usual = float(np.nanmean(found - rest)) if np.any(own.any(axis=0) & other.any(axis=0)) else 0.0
        return np.where(np.isnan(found), rest + usual, found)

    def deviation(self, of_inside: bool, per_record: bool) -> Floats:
        """(N,) standard deviation of the logits around their means: pooled over all rows, or of each row that has at least two, the pooled one elsewhere."""
        own = self.inside if of_inside else ~self.inside
        counts = own.sum(axis=0)
        centred = np.where(own, self.logit - np.where(own.any(axis=0), _means(self.logit, own), 0.0), 0.0)
        squares = (centred**2).sum(axis=0)
        freedom = np.maximum(counts - 1, 0)
        pooled = float(np.sqrt(squares.sum() / max(1, freedom.sum())))
        pooled = pooled if pooled > 0 else 1.0
        if not per_record:
            return np.full(self.logit.shape[1], pooled)
        own_deviation = np.sqrt(squares / np.maximum(freedom, 1))
        return np.where((freedom > 0) & (own_deviation > 0), own_deviation, pooled)

    def note(self, needs_both: bool) -> str:
        """How many rows no shadow was trained without, and, where it matters, with."""
        never_out, never_in = int(self.inside.all(axis=0).sum()), int((~self.inside).all(axis=0).sum())
        said = [f"{never_out} of {self.inside.shape[1]} were members of every shadow model"] if never_out else []
        said += [f"{never_in} of none"] if needs_both and never_in else []
        return f"{' and '.join(said)}: for these the usual distance stands in" if said else ""


def shadows_of(needed: Mapping[str, Path], table: pd.DataFrame, count: int, unit: str, report: Any) -> Shadows:
    """The first ``count`` shadows on the rows of the table, which are records, or users with the means of their records."""
    logits, insides = [], []
    for index in range(count):
        report.progress(index, count, "reading shadow models")
        said = pd.concat([asked(needed[f"shadow/{index}/{split}"]) for split in ("train", "nonmembers")], ignore_index=True)
        said["inside"] = said["id"].isin(PreparedData(needed[f"shadow/{index}/data"]).split("train")["id"])
        by = "id" if unit == "example" else "user"
        means = said[[by, "logit", "inside"]].groupby(by).mean() if unit == "user" else said.set_index("id")
        rows = means.loc[table[by]]
        logits.append(rows["logit"].to_numpy(dtype=float))
        insides.append(rows["inside"].to_numpy(dtype=float) > 0.5)
    return Shadows(np.stack(logits), np.stack(insides))


def _means(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """(N,) means over the chosen of (S, N); NaN where there is none."""
    counts = chosen.sum(axis=0)
    sums = np.where(chosen, values, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def classified(logit: Floats, shadows: Shadows) -> Floats:
    """(N,) log odds of membership by a logistic regression on a quadratic spline of the shadows' logits."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    inside = shadows.inside.ravel()
    if inside.all() or not inside.any():
        return np.zeros(len(logit))
    model = make_pipeline(SplineTransformer(n_knots=6, degree=2, knots="quantile", extrapolation="linear"), LogisticRegression(max_iter=1000))
    model.fit(shadows.logit.reshape(-1, 1), inside)
    return np.asarray(model.decision_function(logit.reshape(-1, 1)), dtype=float)
