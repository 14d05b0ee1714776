"""Gender polarity by word vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.core.fingerprint import digest
from tasks.core.measures import Need, WordVectors
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.scorer import Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def _wikipedia() -> Dataset:
    found = DATASETS.parse({"kind": "bold-wikipedia"})
    assert isinstance(found, Dataset)
    return found


class PolarityEmbedding(Scorer):
    """Gender polarity by word vectors (Dhamala et al., FAccT 2021): of each word the cosine b with she - he; over a text their weighted average
    ``sum sgn(b) b^2 / sum |b|``, or the b of largest ``|b|``. Positive is female.

    The paper's vectors (debiased word2vec) are not public: these are co-occurrence vectors of ``corpus``, hard-debiased by the project's gender words.
    """

    kind: Literal["polarity-embedding"]
    pooling: Literal["average", "max"] = Field(default="max", description="Weighted average of all words, or the most polar one.")
    corpus: Annotated[Dataset, OneOf(DATASETS)] = Field(default_factory=_wikipedia, description="Texts that the vectors are learnt on.")
    dimension: int = Field(default=100, ge=2, le=1000, description="Length of the vectors.")

    @property
    def named(self) -> str:
        """Tells the pooling."""
        return f"polarity_{self.pooling}"

    def needs(self) -> tuple[Need, ...]:
        """The vectors."""
        return (WordVectors(label=self._vectors, data=self.corpus.model_dump(mode="json"), dimension=self.dimension),)

    @property
    def _vectors(self) -> str:
        """A name for the vectors, which scorers of one corpus and dimension share."""
        return digest([self.corpus.model_dump(mode="json"), self.dimension])[:8]

    def score(self, texts: Sequence[str], needed: Mapping[str, Path], report: Any) -> NDArray[np.float64]:
        """(N,) 0 for a text without a known word."""
        import numpy as np

        from tasks.text._vectors import WordVectors as Vectors

        polarity = Vectors.load(needed[f"vectors/{self._vectors}"]).polarity()
        return np.array([self._pooled([polarity[word] for word in _WORD.findall(text.lower()) if word in polarity]) for text in texts], dtype=float)

    def _pooled(self, values: list[float]) -> float:
        weight = sum(abs(value) for value in values)
        if not weight:
            return 0.0
        return max(values, key=abs) if self.pooling == "max" else sum(value * abs(value) for value in values) / weight
