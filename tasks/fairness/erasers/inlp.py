"""Iterative null space projection."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.fairness.eraser import CannotErase, Classes, Eraser, Erasure, Floats, Probe, checked, drawn_apart, linear_probe, majority

TRAIN = 0.7
"""Share of the states that classifiers learn from; the others are asked whether a class can still be told."""
ONE_SIDED = 1.645
"""Standard errors over the majority rate that an accuracy is within: a probe that knows nothing is above in one of twenty."""
NEW = 1e-8
"""How long, of a weight of length 1, a direction must be that those before do not span; and how spread, of states, what is more than rounding."""


class Inlp(Eraser):
    """Train a linear classifier of the class, project states onto its null space, again and again (Ravfogel et al., ACL 2020).

    States are parted first: classifiers learn from 70% and are asked of the others. It stops before it removes a classifier whose accuracy there is at most
    the majority rate and 1.645 of its standard errors. The classifier is that of Bias Bench (Meade et al., ACL 2022), as are its 80 iterations. The erasure is
    the orthogonal projection onto the intersection of all null spaces; the shift is 0.

    Facts: also ``iterations``, classifiers removed, and ``stopped``: at the ``majority``, after the most ``iterations``, or with no ``dimensions`` left.
    ``probe_after`` is of the classifier that stopped it, on states that chose when to stop, so it is a little low.
    """

    kind: Literal["inlp"]
    iterations: int = Field(default=80, ge=1, le=1000, description="The most classifiers; fewer where a class can no longer be told.")

    def fit(self, states: Floats, protected: Classes, seed: int) -> Erasure:
        """The projection. Raises CannotErase also where a class has one state."""
        found, classes = checked(states, protected)
        _, sizes = np.unique(classes, return_counts=True)
        if sizes.min() < 2:
            raise CannotErase("a protected class has one state: INLP needs two of each, to learn from and to ask of")
        train, held = drawn_apart(classes, (TRAIN, 1 - TRAIN), seed)
        rate = majority(classes[held])
        bar = rate + ONE_SIDED * (rate * (1 - rate) / len(held)) ** 0.5
        basis, done, accuracies, stopped = np.zeros((found.shape[1], 0)), 0, list[float](), ""
        while True:
            left = _without(found, basis)
            probe = linear_probe(left[train], classes[train], left[held], classes[held])
            accuracies.append(probe.accuracy)
            stopped = self._why_stop(probe, bar, done, basis)
            if stopped:
                break
            basis, done = spanned(basis, probe.weights), done + 1
        facts = {"n": len(found), "width": found.shape[1], "classes": len(sizes), "rank": basis.shape[1], "iterations": done, "stopped": stopped}
        probes = {"probe_before": accuracies[0], "probe_after": accuracies[-1], "probe_majority": rate, "probe_n": len(held)}
        return Erasure(np.eye(found.shape[1]) - basis @ basis.T, np.zeros(found.shape[1]), {**facts, **probes})

    def _why_stop(self, probe: Probe, bar: float, done: int, basis: Floats) -> str:
        if spanned(basis, probe.weights).shape[1] == basis.shape[1]:
            return "dimensions"
        if probe.accuracy <= bar:
            return "majority"
        return "iterations" if done == self.iterations else ""


def _without(states: Floats, basis: Floats) -> Floats:
    """States (N, H) projected off the columns of ``basis`` (H, R); 0 where only rounding is left, of which a classifier could make something."""
    left = states - (states @ basis) @ basis.T
    spread, before = (float(np.linalg.norm(each - each.mean(axis=0))) for each in (left, states))
    return left if spread > NEW * before else np.zeros_like(left)


def spanned(basis: Floats, weights: Floats) -> Floats:
    """An orthonormal basis (H, R) of the columns of ``basis`` (H, R') and the rows of ``weights`` (K, H).

    Directions are added to a basis, not taken off a product of projections, so that rounding does not grow with the iterations.
    """
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    rows = weights[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
    _, sizes, directions = np.linalg.svd(rows - (rows @ basis) @ basis.T, full_matrices=False)
    both, _ = np.linalg.qr(np.hstack([basis, directions[sizes > NEW].T]))
    return np.asarray(both, dtype=np.float64)
