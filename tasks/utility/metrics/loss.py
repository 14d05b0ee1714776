"""Mean loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.measures import Direction


class Loss(UtilityMetric):
    """Mean over records of the loss that is trained, in nats: of the intent, plus the mean over a record's words of its tags, or over its tokens or those of
    its target, or the mean over an answer's two ends.
    """

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq", "lm", "mlm")
    direction: ClassVar[Direction] = "lower"
    highest: ClassVar[float | None] = None
    follows_task: ClassVar[bool] = True
    protocol: ClassVar[str] = "mean over records, nats"

    kind: Literal["loss"]

    @classmethod
    def record_bounds(cls, most_loss: float | None) -> tuple[float, ...] | None:
        """A record loses at most what its loss is cut at."""
        return None if most_loss is None else (most_loss, 1.0)

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Losses over records."""
        import numpy as np

        loss = predictions["loss"].to_numpy(dtype=float)
        return Scored(np.column_stack([loss, np.ones_like(loss)]), lambda total: total[:, 0] / total[:, 1], {"loss": loss.tolist()})
