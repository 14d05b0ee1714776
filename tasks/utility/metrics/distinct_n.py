"""Distinct n-grams of what a language model writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures, Need
from tasks.models.decoding import Decoding
from tasks.utility.metric import SPLIT, Scored, UtilityMetric

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.measures import Direction


class DistinctN(UtilityMetric):
    """The share of a continuation's n-grams of words that are distinct (Li et al., NAACL 2016), as a mean over continuations of the first words of test texts.

    Within a continuation, not over all of them together, whose value would fall with their number. Low where a model repeats itself.
    """

    tasks: ClassVar[tuple[str, ...]] = ("lm",)
    direction: ClassVar[Direction] = "higher"
    of_predictions: ClassVar[bool] = False

    kind: Literal["distinct-n"]
    n: int = Field(default=2, ge=1, le=10, description="Words of an n-gram.")
    texts: int = Field(default=200, ge=1, description="Test texts whose first words are gone on from, by a keyed coin.")
    words: int = Field(default=5, ge=1, description="How many first words.")
    decoding: Decoding = Field(default=Decoding(), description="How the model goes on.")

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """Nothing: it asks the model itself."""
        return ()

    def score(self, predictions: pd.DataFrame) -> Scored:
        """Of a table with the columns id, distinct and grams."""
        import numpy as np

        share = (predictions["distinct"] / predictions["grams"]).to_numpy(dtype=float)
        return Scored(np.column_stack([share, np.ones(len(share))]), lambda total: total[:, 0] / total[:, 1], {"distinct": share.tolist()})

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """Generate and count."""
        import pandas as pd

        from tasks.core.fingerprint import digest
        from tasks.core.seeds import derive, uniform
        from tasks.data.prepared import PreparedData
        from tasks.models.artifact import load_model
        from tasks.models.generating import continuations

        prepared = PreparedData(data)
        device = "cpu" if report is None else report.device
        loaded = load_model(target, device)
        conditions = {
            "data": prepared.facts["split_digests"].get(SPLIT, ""),
            "split": SPLIT,
            "protocol": digest(self.model_dump(mode="json", exclude={"label"}))[:12],
        }
        if loaded.shape.task not in self.tasks:
            return self._measures(pd.DataFrame({"id": []}), loaded.shape.task, conditions, seed)
        records = prepared.split(SPLIT)
        coins = records["id"].map(lambda record: uniform(0, "distinct", str(record)))
        chosen = records.loc[coins.nsmallest(self.texts).index.sort_values()]
        prompts = [" ".join(text.split()[: self.words]) for text in chosen["text"]]
        found = continuations(loaded.network, loaded.encoder, prompts, self.decoding, 1, derive(seed, "distinct"), device)
        table = pd.DataFrame({"id": chosen["id"].to_list(), "text": [one.texts[0] if one.texts else "" for one in found]})
        grams = table["text"].map(lambda text: [tuple(text.split()[place : place + self.n]) for place in range(len(text.split()) - self.n + 1)])
        table["grams"], table["distinct"] = grams.map(len), grams.map(lambda found: len(set(found)))
        return self._measures(table[table["grams"] > 0].reset_index(drop=True), "lm", conditions, seed)
