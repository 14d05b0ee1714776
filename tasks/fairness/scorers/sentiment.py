"""Sentiment by a lexicon and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tasks.fairness.scorer import Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sentiment(Scorer):
    """VADER's compound score (Hutto and Gilbert, ICWSM 2014), from -1 (negative) to 1 (positive)."""

    name: ClassVar[str] = "sentiment"

    kind: Literal["sentiment"]

    def score(self, texts: Sequence[str], needed: Mapping[str, Path], report: Any) -> NDArray[np.float64]:
        """(N,)"""
        import numpy as np
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        analyzer = SentimentIntensityAnalyzer()
        known: dict[str, float] = {}
        for text in texts:
            if text not in known:
                known[text] = float(analyzer.polarity_scores(text)["compound"])
        return np.array([known[text] for text in texts], dtype=float)
