"""F1 of the words of answers in passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd


class TokenF1(UtilityMetric):
    """Mean over questions of the F1 of the predicted answer's words against the given one's, case, signs and articles apart (Rajpurkar et al., EMNLP 2016)."""

    tasks: ClassVar[tuple[str, ...]] = ("qa",)

    kind: Literal["token-f1"]

    def score(self, predictions: pd.DataFrame) -> Scored:
        """The F1 of each question: 2 x shared words over the words of both."""
        import numpy as np

        shared, given, found = (predictions[name].to_numpy(dtype=float) for name in ("shared_words", "words", "predicted_words"))
        f1 = np.divide(2 * shared, given + found, out=np.zeros_like(shared), where=given + found > 0)
        return Scored(np.column_stack([f1, np.ones(len(f1))]), lambda total: total[:, 0] / total[:, 1], {"f1": f1.tolist()})
