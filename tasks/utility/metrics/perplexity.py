"""Perplexity of a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.core.measures import Predictions
from tasks.data.dataset import DATASETS, Dataset
from tasks.utility.metric import SPLIT, Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.measures import Direction


class Perplexity(UtilityMetric):
    """``e`` to the mean of -log p over the tokens of the test texts, or of what is written for them; ``data`` names other texts, whose test split is read.

    Of models with unlike tokenizers it is not comparable: they differ in the number of tokens, which is a condition; bits per byte is.
    """

    tasks: ClassVar[tuple[str, ...]] = ("lm", "seq2seq")
    direction: ClassVar[Direction] = "lower"
    lowest: ClassVar[float | None] = 1.0
    highest: ClassVar[float | None] = None

    kind: Literal["perplexity"]
    data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(default=None, description="Texts to be judged on; without it, the test split of the study's data.")

    @property
    def reads(self) -> Predictions:
        """Those of the other texts, where they are named."""
        if self.data is None:
            return Predictions(split=SPLIT)
        return Predictions(split=SPLIT, data={**self.data.model_dump(mode="json"), "task": "lm"}, label=self.data.kind)

    def told(self, predictions: pd.DataFrame) -> dict[str, str]:
        """How many tokens."""
        return {"tokens": str(int(predictions["tokens"].sum()))} if "tokens" in predictions else {}

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Nats and tokens of each record."""
        import numpy as np

        nats, tokens = (predictions[name].to_numpy(dtype=float) for name in ("nats", "tokens"))
        items = {"nats": nats.tolist(), "tokens": tokens.astype(int).tolist()}
        return Scored(np.column_stack([nats, tokens]), lambda total: np.exp(total[:, 0] / total[:, 1]), items)
