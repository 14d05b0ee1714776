"""Utility metrics: how good a model is, each with an interval over items."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tasks.core.component import Family
from tasks.core.measures import Direction, Measurement, Measures, Need, Predictions, Row

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPLIT = "test"


@dataclass(frozen=True)
class Scored:
    """A metric on some predictions, as sums over items.

    Args:
        sums: (N, D) what each item adds.
        statistic: (B, D) sums to (B,) values, NaN where undefined.
        items: columns kept per item beside its id: numbers, never text.
        proportion: whether the metric is a share of items, so that an exact interval exists at its edges.
    """

    sums: NDArray[np.float64]
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    items: Mapping[str, Any] = field(default_factory=dict)
    proportion: bool = False


class UtilityMetric(Measurement, ABC):
    """Base of every utility metric. A member says how its items add up; the interval follows.

    Records of one user are drawn together where the data names users, else each record alone.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    direction: ClassVar[Direction] = "higher"
    lowest: ClassVar[float | None] = 0.0
    highest: ClassVar[float | None] = 1.0
    protocol: ClassVar[str] = ""
    of_predictions: ClassVar[bool] = True
    """Whether the predictions alone are enough to score."""
    follows_task: ClassVar[bool] = False
    """Whether the same metric of two tasks on the same records means two things."""

    minimum_items: int = Field(default=30, ge=1, description="With fewer records the status is insufficient_evidence.")

    @property
    def reads(self) -> Predictions:
        """Which of the model's predictions are judged: those of the test split."""
        return Predictions(split=SPLIT)

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """What the model says of the test split."""
        return (self.reads,)

    @abstractmethod
    def score(self, predictions: pd.DataFrame) -> Scored:
        """The metric as sums over the records of ``predictions.parquet``."""

    @classmethod
    def record_bounds(cls, most_loss: float | None) -> tuple[float, ...] | None:
        """The most that a record adds to each sum, from public numbers, where the last sum counts records; None where no public number bounds them."""
        return None

    def told(self, predictions: pd.DataFrame) -> dict[str, str]:
        """Further facts that two numbers must share to be compared."""
        return {}

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """One row with its interval over records."""
        import pandas as pd

        folder = needed["/".join(part for part in ("predictions", self.reads.label, SPLIT) if part)]
        facts = json.loads((folder / "predictions.json").read_text())
        predictions = pd.read_parquet(folder / "predictions.parquet")
        conditions = {"data": facts["data"], "split": SPLIT, **self.told(predictions)} | ({"protocol": self.protocol} if self.protocol else {})
        if self.follows_task:
            conditions["task"] = facts["task"]
        return self._measures(predictions, facts["task"], conditions, seed)

    def _measures(self, predictions: pd.DataFrame, task: str, conditions: dict[str, str], seed: int) -> Measures:
        from tasks.core.bootstrap import clusters_of, items_of
        from tasks.utility._intervals import item_interval

        name, n = self.metric("utility"), len(predictions)
        common: dict[str, Any] = {"name": name, "n": n, "direction": self.direction, "conditions": conditions, "lowest": self.lowest, "highest": self.highest}
        if task not in self.tasks:
            return Measures((Row(value=None, status="unsupported", reason=f"{self.kind} does not judge task '{task}'", **common),))
        if n < self.minimum_items:
            reason = f"{n} test records, {self.minimum_items} are needed"
            return Measures((Row(value=None, status="insufficient_evidence", reason=reason, **common),))
        scored = self.score(predictions)
        value = float(scored.statistic(scored.sums.sum(axis=0, keepdims=True))[0])
        if value != value:
            return Measures((Row(value=None, status="undefined", reason="no record has what the metric counts", **common),))
        clusters = clusters_of(predictions)
        items = items_of(predictions["id"], clusters, scored.items)
        bounds = item_interval(scored, clusters, seed, name)
        if bounds is None:
            alike = "all records are of one user" if len(set(clusters)) == 1 else "every record or user counts alike"
            return Measures((Row(value=value, reason=f"no interval: {alike}", **common),), items)
        return Measures((Row(value=value, low=min(bounds[0], value), high=max(bounds[1], value), interval="items", **common),), items)


UTILITY = Family("utility", "tasks.utility.metrics", UtilityMetric)
