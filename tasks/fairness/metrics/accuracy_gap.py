"""The gap in accuracy between groups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Direction, Measures, Need, Predictions, Row, Status
from tasks.fairness._judged import slugs
from tasks.fairness.metric import FairnessMetric, reasons

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.bootstrap import Interval

SPLIT = "test"
TASKS = ("intent", "joint")


class AccuracyGap(FairnessMetric):
    """Accuracy of the group that is served best less that of the group that is served worst, on the test split (overall accuracy equality).

    Which groups these are is read from the numbers; the interval is of that signed difference, so it reaches below 0 where their order is
    not certain. Groups with too few records are left out, and named.
    """

    name: ClassVar[str] = "accuracy"
    notion: ClassVar[str] = "overall accuracy equality"

    kind: Literal["accuracy-gap"]
    minimum_group_size: int = Field(default=30, ge=2, description="Groups with fewer test records are left out.")

    def metric(self, prefix: str, *rest: str) -> str:
        """``fairness/accuracy/...``, the quantity that is compared, unless a label replaces it."""
        return "/".join((prefix, (self.label or self.name).replace("-", "_"), *rest))

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """What the model says of the test split."""
        return (Predictions(split=SPLIT),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``difference``, ``worst_group``, and ``by_group/<group>`` with its number of records."""
        import pandas as pd

        folder = needed[f"predictions/{SPLIT}"]
        facts = json.loads((folder / "predictions.json").read_text())
        predictions = pd.read_parquet(folder / "predictions.parquet")
        conditions = {"data": facts["data"], "split": SPLIT}
        problem = self._problem(facts["task"], predictions)
        if problem is not None:
            return Measures(self.without(*problem, len(predictions), ("difference", "worst_group"), conditions))
        return self._gaps(predictions, conditions, seed)

    def _problem(self, task: str, predictions: pd.DataFrame) -> tuple[Status, str] | None:
        if task not in TASKS:
            return "unsupported", f"{self.kind} does not judge task '{task}'"
        if "group" not in predictions or predictions["group"].isna().all():
            return "unsupported", "the data names no groups"
        sizes = predictions["group"].value_counts()
        if (sizes >= self.minimum_group_size).sum() < 2:
            said = ", ".join(f"{group} {size}" for group, size in sizes.sort_index().items())
            return "insufficient_evidence", f"fewer than two groups have {self.minimum_group_size} test records ({said})"
        return None

    def _gaps(self, predictions: pd.DataFrame, conditions: dict[str, str], seed: int) -> Measures:
        from tasks.core.bootstrap import clusters_of, items_of
        from tasks.fairness._gaps import gaps

        sizes = predictions["group"].value_counts().sort_index()
        kept = sizes[sizes >= self.minimum_group_size]
        left_out = [f"{group} ({size})" for group, size in sizes.items() if size < self.minimum_group_size]
        found = gaps(predictions[predictions["group"].isin(kept.index)], seed, self.metric("fairness"))
        said = {**conditions, "groups": ", ".join(f"{group} {size}" for group, size in kept.items())}
        reason = f"left out for want of records: {', '.join(left_out)}" if left_out else None
        rows = [
            self._row("difference", found.difference, int(kept.sum()), said, "lower", reason, lowest=-1.0),
            self._row("worst_group", found.worst, int(kept[found.worst_group]), said, "higher", reason),
        ]
        for group, slug in slugs(list(found.by_group)).items():
            rows.append(self._row(f"by_group/{slug}", found.by_group[group], int(kept[group]), said, "higher", None))
        correct = (predictions["label"] == predictions["predicted"]).astype(int)
        return Measures(tuple(rows), items_of(predictions["id"], clusters_of(predictions), {"correct": correct.tolist()}))

    def _row(self, name: str, gap: Interval, n: int, conditions: dict[str, str], direction: Direction, reason: str | None, lowest: float = 0.0) -> Row:
        ends = None if gap.low is None or gap.high is None else (gap.low, gap.high)
        why = reasons(reason, "no interval: every resample is alike" if ends is None else None)
        return self.row(name, gap.value, ends, n, direction, conditions, reason=why, lowest=lowest, highest=1.0)
