"""How much better a model is than one that looks at no text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures
from tasks.utility.metric import SPLIT, Scored, UtilityMetric
from tasks.utility.metrics.accuracy import Accuracy
from tasks.utility.metrics.loss import Loss
from tasks.utility.metrics.slot_f1 import SlotF1

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Over = Literal["majority", "most-frequent-tag", "word-tags", "unigram"]
SCORED: dict[Over, tuple[str, tuple[str, ...]]] = {
    "majority": ("accuracy", ("intent", "joint")),
    "most-frequent-tag": ("slot_f1", ("tagging", "joint")),
    "word-tags": ("slot_f1", ("tagging", "joint")),
    "unigram": ("loss", ("qa", "seq2seq")),
}
"""What is compared with a trivial model, and for which tasks."""
BEFORE = "trivial_"


class BaselineGain(UtilityMetric):
    """What a model gains over a trivial one that is fitted on the training records, on the same test records: more is better, and 0 is no better.

    ``majority``: always the commonest label; its accuracy is compared. ``most-frequent-tag``: the commonest tag on every word, and ``word-tags``: the
    commonest tag of each word (Charniak et al., AAAI 1993), the commonest of all on a new word; by slot F1. ``unigram``, by the loss: of a summary
    each token's frequency among the training targets' tokens, of an answer in a passage how often one begins and ends so far into it.
    """

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq")
    lowest: ClassVar[float | None] = None
    highest: ClassVar[float | None] = None
    of_predictions: ClassVar[bool] = False
    protocol: ClassVar[str] = "paired by record; trivial model of the training split"

    kind: Literal["baseline-gain"]
    over: Over = Field(description="The trivial model.")

    @property
    def name(self) -> str:
        """What is compared, and with which trivial model."""
        if self.label is not None:
            return self.label.replace("-", "_")
        return f"{SCORED[self.over][0]}_{'below' if self.over == 'unigram' else 'over'}_{self.over.replace('-', '_')}"

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Of a table that has what the trivial model says as well, with ``trivial_`` before the names of columns."""
        import numpy as np

        said = {name.removeprefix(BEFORE): predictions[name] for name in map(str, predictions) if name.startswith(BEFORE)}
        metric: UtilityMetric = {"accuracy": Accuracy(kind="accuracy"), "slot_f1": SlotF1(kind="slot-f1"), "loss": Loss(kind="loss")}[SCORED[self.over][0]]
        own, other = metric.score(predictions), metric.score(predictions.assign(**said))
        width, sign = own.sums.shape[1], 1.0 if metric.direction == "higher" else -1.0

        def gain(totals: NDArray[np.float64]) -> NDArray[np.float64]:
            return sign * (own.statistic(totals[:, :width]) - other.statistic(totals[:, width:]))

        items = {**own.items, **{f"{BEFORE}{name}": values for name, values in other.items.items()}}
        return Scored(np.hstack([own.sums, other.sums]), gain, items)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """Fit the trivial model, ask it about the test records too, and compare."""
        import json

        import pandas as pd

        from tasks.data.prepared import PreparedData
        from tasks.utility._trivial import trivial_answers

        folder = needed[f"predictions/{SPLIT}"]
        facts = json.loads((folder / "predictions.json").read_text())
        predictions = pd.read_parquet(folder / "predictions.parquet")
        prepared = PreparedData(data)
        conditions = {"data": facts["data"], "split": SPLIT, "protocol": self.protocol, "fitted": prepared.facts["split_digests"].get("train", "")}
        served = facts["task"] in SCORED[self.over][1]
        if served:
            predictions = predictions.join(trivial_answers(self.over, prepared, target).add_prefix(BEFORE))
        return self._measures(predictions, facts["task"] if served else f"{facts['task']} over {self.over}", conditions, seed)
