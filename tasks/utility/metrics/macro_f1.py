"""Macro-averaged F1 of the intent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class MacroF1(UtilityMetric):
    """Mean over labels of F1 = 2 TP / (2 TP + FP + FN) (van Rijsbergen 1979), over labels that are given or predicted at least once."""

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint")
    protocol: ClassVar[str] = "mean over labels that occur, as given or as predicted"

    kind: Literal["macro-f1"]

    def score(self, predictions: pd.DataFrame) -> Scored:
        """True positives, predicted and given counts per label: 3 K columns."""
        import numpy as np

        given, predicted = predictions["label"].to_numpy(), predictions["predicted"].to_numpy()
        labels = np.unique(np.concatenate([given, predicted]))
        is_given, is_predicted = given[:, None] == labels, predicted[:, None] == labels
        sums = np.hstack([is_given & is_predicted, is_predicted, is_given]).astype(float)
        return Scored(sums, _macro_f1, {"correct": (given == predicted).astype(int).tolist()})


def _macro_f1(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    right, predicted, given = np.split(totals, 3, axis=1)
    count = predicted + given
    f1 = np.divide(2 * right, count, out=np.full_like(right, np.nan), where=count > 0)
    mean: NDArray[np.float64] = np.nanmean(f1, axis=1)
    return mean
