"""Bits per byte of a language model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.measures import Direction


class BitsPerByte(UtilityMetric):
    """Total -log2 p of the text over its UTF-8 bytes: the same unit whatever the tokenizer (Gao et al. 2020, The Pile, 3.1)."""

    tasks: ClassVar[tuple[str, ...]] = ("lm",)
    direction: ClassVar[Direction] = "lower"
    highest: ClassVar[float | None] = None

    kind: Literal["bits-per-byte"]

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Bits and bytes of each record."""
        import numpy as np

        bits = predictions["nats"].to_numpy(dtype=float) / math.log(2)
        size = predictions["bytes"].to_numpy(dtype=float)
        items = {"bits": bits.tolist(), "bytes": size.astype(int).tolist()}
        return Scored(np.column_stack([bits, size]), lambda total: total[:, 0] / total[:, 1], items)
