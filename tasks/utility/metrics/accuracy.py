"""Accuracy of the intent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd


class Accuracy(UtilityMetric):
    """Share of records whose most likely label is the given one."""

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint")

    kind: Literal["accuracy"]

    @classmethod
    def record_bounds(cls, most_loss: float | None) -> tuple[float, ...]:
        """A record is right or wrong."""
        return (1.0, 1.0)

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Right answers over records."""
        import numpy as np

        correct = (predictions["label"] == predictions["predicted"]).to_numpy()
        sums = np.column_stack([correct, np.ones(len(correct))]).astype(np.float64)
        return Scored(sums, lambda total: total[:, 0] / total[:, 1], {"correct": correct.astype(int).tolist()}, proportion=True)
