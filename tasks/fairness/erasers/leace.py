"""Least-squares concept erasure."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.fairness.eraser import CannotErase, Classes, Eraser, Erasure, Floats, checked, probed

SMALLEST = 1e-10
"""The least correlation, of whitened states with a class, that is erased. The package's own, 0.01, lets means of large samples differ."""
LEFT = 1e-6
"""How far apart means may be after it, in standard deviations of the states' widest direction: no more than rounding."""


class Leace(Eraser):
    """The affine map that moves states least, in mean square, among those after which no linear classifier tells the class better than a constant one
    (Belrose et al., NeurIPS 2023, theorem 4.3), by the authors' package ``concept-erasure``. It removes one dimension less than there are classes.

    On the states that it is fitted to, class means are the same afterwards, whether ``shrinkage`` or not. The covariance in which the distance is least is that
    of the sample, or with ``shrinkage``, as in the package, one drawn towards a sphere, which serves other states better where there are not many more states
    than dimensions.
    """

    kind: Literal["leace"]
    shrinkage: bool = Field(default=True, description="Draw the covariance towards a multiple of the identity, by optimal linear shrinkage.")

    def fit(self, states: Floats, protected: Classes, seed: int) -> Erasure:
        """The map. Raises CannotErase also where means still differ: of few states, whose shrunk covariance is no covariance."""
        found, classes = checked(states, protected)
        matrix, shift = self._map(found, classes)
        gap = _gap(found @ matrix.T + shift, classes)
        widest = float(np.linalg.norm(found - found.mean(axis=0), ord=2)) / len(found) ** 0.5
        if not gap <= LEFT * widest:
            raise CannotErase(
                f"LEACE leaves class means {gap:.2g} apart for {len(found)} states of width {found.shape[1]}: set shrinkage to {not self.shrinkage}"
            )
        rank = round(found.shape[1] - float(np.trace(matrix)))  # the trace of an idempotent matrix is its rank
        facts = {"n": len(found), "width": found.shape[1], "classes": len(np.unique(classes)), "rank": rank}
        return Erasure(matrix, shift, {**facts, **probed(self._map, found, classes, seed)})

    def _map(self, states: Floats, classes: Classes) -> tuple[Floats, Floats]:
        import torch

        with warnings.catch_warnings():  # the package compiles a part that is not used here with a function that torch deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            from concept_erasure import LeaceFitter

        kinds = np.unique(classes)
        # All but one class, the last follows from the others: columns that add up to 1 would leave a direction of pure rounding.
        told = torch.from_numpy((classes[:, None] == kinds[:-1]).astype(np.float64))
        seen = torch.from_numpy(np.ascontiguousarray(states))
        # The covariance's trace cannot grow; guarding it would only mix in a map that does not erase.
        eraser = LeaceFitter.fit(seen, told, shrinkage=self.shrinkage, svd_tol=SMALLEST, constrain_cov_trace=False).eraser
        matrix = np.asarray(eraser.P.numpy(), dtype=np.float64)
        mean = np.asarray(eraser.bias.numpy(), dtype=np.float64)
        return matrix, mean - matrix @ mean


def _gap(states: Floats, classes: Classes) -> float:
    """The longest way from the mean of a class to that of all."""
    return max(float(np.linalg.norm(states[classes == kind].mean(axis=0) - states.mean(axis=0))) for kind in np.unique(classes))
