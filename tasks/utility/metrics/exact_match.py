"""Exact match of answers in passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd


class ExactMatch(UtilityMetric):
    """Share of questions whose predicted answer has the given one's words, case, signs and articles apart (Rajpurkar et al., EMNLP 2016, SQuAD)."""

    tasks: ClassVar[tuple[str, ...]] = ("qa",)

    kind: Literal["exact-match"]

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Exact answers over questions."""
        import numpy as np

        exact = predictions["exact"].to_numpy(dtype=float)
        return Scored(np.column_stack([exact, np.ones(len(exact))]), lambda total: total[:, 0] / total[:, 1], {"exact": exact.astype(int).tolist()}, True)
