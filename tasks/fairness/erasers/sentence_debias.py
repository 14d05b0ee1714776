"""Projection away from the principal components of counterfactual differences."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.fairness.eraser import CannotErase, Classes, Eraser, Erasure, Floats, checked, probed


class SentenceDebias(Eraser):
    """Subtract the mean of each pair of a text and its counterpart, and project the main directions of what is left out (Liang et al., ACL 2020).

    The erasure is ``h - V V^T h``, V the first principal components; the shift is 0, so states themselves are not centred. Facts: also ``pairs`` and
    ``explained``, the share of the variance within pairs that V has. Where pairs differ in fewer directions than asked for, ``rank`` is theirs.
    """

    paired: ClassVar[bool] = True

    kind: Literal["sentence-debias"]
    components: int = Field(default=1, ge=1, le=1000, description="Principal components of the differences that are projected out.")

    def fit(self, states: Floats, protected: Classes, seed: int) -> Erasure:
        """The projection. Raises CannotErase also where rows are odd in number or no text differs from its counterpart."""
        found, classes = checked(states, protected)
        if len(found) % 2:
            raise CannotErase(f"{len(found)} states are no pairs: each text needs its counterpart in the row after it")
        basis, explained = self._directions(found)
        if not basis.shape[1]:
            raise CannotErase(f"in none of {len(found) // 2} pairs does the state of a text differ from that of its counterpart")
        width = found.shape[1]
        shares = {"n": len(found), "width": width, "classes": len(np.unique(classes)), "rank": basis.shape[1], "pairs": len(found) // 2, "explained": explained}

        def again(some: Floats, _: Classes) -> tuple[Floats, Floats]:
            part, _share = self._directions(some)
            return np.eye(width) - part @ part.T, np.zeros(width)

        return Erasure(np.eye(width) - basis @ basis.T, np.zeros(width), {**shares, **probed(again, found, classes, seed, paired=True)})

    def _directions(self, states: Floats) -> tuple[Floats, float]:
        """Components (H, R), and the share of variance they have.

        With a pair's mean taken off, its two rows are half its difference and the opposite: their mean over all is 0, and their components are those of
        the halves alone.
        """
        _, sizes, directions = np.linalg.svd((states[0::2] - states[1::2]) / 2, full_matrices=False)
        rank = int((sizes > sizes[0] * max(states.shape) * np.finfo(np.float64).eps).sum())
        kept = min(self.components, rank)
        total = float((sizes**2).sum())
        return directions[:kept].T, float((sizes[:kept] ** 2).sum() / total) if total else 0.0
