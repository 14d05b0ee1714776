"""AUCs of a score by group, over many resamples at once (Borkan et al., WWW 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
POWER = -5.0
KINDS = ("subgroup", "bpsn", "bnsp")
CHUNK = 4_000_000
"""The most weights held at once."""


@dataclass(frozen=True)
class Areas:
    """AUCs of resamples: ``overall`` (B,), and for each of ``KINDS`` (B, G), NaN where a resample lacks positives or negatives."""

    overall: Floats
    by_kind: Mapping[str, Floats]

    def generalised(self, kind: str) -> Floats:
        """(B,) the generalised mean of power -5 over groups, which the worst dominate; groups without a number are left out."""
        areas = self.by_kind[kind]
        told = ~np.isnan(areas)
        powers = np.where(told, np.maximum(np.nan_to_num(areas), 1e-9), 1.0) ** POWER
        count = told.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, ((powers * told).sum(axis=1) / count) ** (1 / POWER), np.nan)


def weighted_auc(scores: Floats, truth: Bools, weights: Floats) -> Floats:
    """(B,) AUCs of records (N,) under weights (B, N): the chance that a positive has the higher score, ties by half. NaN without both kinds."""
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1)
    below = _below(weights * ~truth, ranks)
    positives, negatives = weights[:, truth].sum(axis=1), weights[:, ~truth].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights[:, truth] * below[:, ranks[truth]]).sum(axis=1) / (positives * negatives))


def areas(scores: Floats, truth: Bools, groups: Mapping[str, Bools], weights: Floats, others_only: bool) -> Areas:
    """The AUCs of resamples with weights (B, N). With ``others_only`` the background of a group is who is about another group, else everyone outside it."""
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1)
    background = np.any([*groups.values()], axis=0) if others_only else np.ones(len(scores), dtype=bool)
    whole = {kind: _Side(ranks, np.where(background & (truth == positive), weights, 0.0)) for kind, positive in (("positive", True), ("negative", False))}
    found: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
    for inside in groups.values():
        positive, negative = np.flatnonzero(inside & truth), np.flatnonzero(inside & ~truth)
        both = np.concatenate([positive, negative])
        found["subgroup"].append(weighted_auc(scores[both], truth[both], weights[:, both]))
        above = 1.0 - _chance_below(whole["positive"], ranks, weights, negative, positive)
        found["bpsn"].append(above)
        found["bnsp"].append(_chance_below(whole["negative"], ranks, weights, positive, negative))
    return Areas(weighted_auc(scores, truth, weights), {kind: np.column_stack(columns) for kind, columns in found.items()})


class _Side:
    """The positives, or the negatives, of the background: how much of them lies below each rank, ties by half."""

    def __init__(self, ranks: NDArray[np.int64], weights: Floats) -> None:
        self.below = _below(weights, ranks)
        self.total = weights.sum(axis=1)


def _chance_below(side: _Side, ranks: NDArray[np.int64], weights: Floats, asked: NDArray[np.int64], own: NDArray[np.int64]) -> Floats:
    """(B,) the chance that one of a side outside the group lies below one of the group's records ``asked``; ``own`` are the group's records on that side."""
    mine, theirs = weights[:, own], weights[:, asked]
    order = np.argsort(ranks[own], kind="stable")
    sums = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(mine[:, order], axis=1)], axis=1)
    held = ranks[own][order]
    first, last = np.searchsorted(held, ranks[asked], "left"), np.searchsorted(held, ranks[asked], "right")
    of_own = 0.5 * (sums[:, first] + sums[:, last])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (theirs * (side.below[:, ranks[asked]] - of_own)).sum(axis=1) / (theirs.sum(axis=1) * (side.total - mine.sum(axis=1)))
    return np.asarray(share)


def _below(weights: Floats, ranks: NDArray[np.int64]) -> Floats:
    """(B, R): the weight below each rank, and half of that at it."""
    count = int(ranks.max()) + 1 if len(ranks) else 1
    at = np.zeros((len(weights), count))
    order = np.argsort(ranks, kind="stable")
    starts = np.searchsorted(ranks[order], np.arange(count))
    if len(ranks):
        at = np.add.reduceat(weights[:, order], starts, axis=1)
    return np.asarray(np.cumsum(at, axis=1) - 0.5 * at)


def resampled(clusters: NDArray[np.str_], resamples: int, generator: np.random.Generator) -> list[Floats]:
    """Weights (b, N) of a clustered bootstrap, in pieces."""
    _, place = np.unique(clusters, return_inverse=True)
    units = int(place.max()) + 1
    size = max(1, CHUNK // max(1, len(place)))
    pieces = [min(size, resamples - start) for start in range(0, resamples, size)]
    return [generator.multinomial(units, np.full(units, 1 / units), size=count)[:, place].astype(float) for count in pieces]
