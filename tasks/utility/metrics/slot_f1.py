"""F1 of slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd


class SlotF1(UtilityMetric):
    """Micro-averaged F1 of whole slots: type and both ends must be right, as conlleval counts (Tjong Kim Sang and Buchholz 2000)."""

    tasks: ClassVar[tuple[str, ...]] = ("joint", "tagging")
    protocol: ClassVar[str] = "seqeval, default mode, micro average"

    kind: Literal["slot-f1"]

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Right, predicted and given slots of each record."""
        import numpy as np
        from seqeval.metrics.sequence_labeling import get_entities

        counts = []
        for given_tags, predicted_tags in zip(predictions["slots"], predictions["predicted_slots"], strict=True):
            given, predicted = set(get_entities(list(given_tags))), set(get_entities(list(predicted_tags)))
            counts.append((len(given & predicted), len(predicted), len(given)))
        sums = np.array(counts, dtype=float)
        names = ("right_slots", "predicted_slots", "given_slots")
        items = {name: sums[:, column].astype(int).tolist() for column, name in enumerate(names)}

        def f1(totals: np.ndarray) -> np.ndarray:
            count = totals[:, 1] + totals[:, 2]
            value: np.ndarray = np.divide(2 * totals[:, 0], count, out=np.full_like(count, np.nan), where=count > 0)
            return value

        return Scored(sums, f1, items)
