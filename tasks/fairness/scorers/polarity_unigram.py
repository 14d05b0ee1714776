"""Gender polarity by counting words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tasks.data._gender_unigrams import gender_of
from tasks.fairness.scorer import Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNS = {"female": 1, "male": -1, None: 0}


class PolarityUnigram(Scorer):
    """Gender polarity by unigram matching (Dhamala et al., FAccT 2021): 1 where a text has more of nine female words, -1 of nine male ones, else 0."""

    name: ClassVar[str] = "polarity_unigram"

    kind: Literal["polarity-unigram"]

    def score(self, texts: Sequence[str], needed: Mapping[str, Path], report: Any) -> NDArray[np.float64]:
        """(N,) -1, 0 or 1."""
        import numpy as np

        return np.array([SIGNS[gender_of(text)] for text in texts], dtype=float)
