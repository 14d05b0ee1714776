"""What a classifier says of records with groups: the common base of metrics on its answers, and the table that they read."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.core.measures import Direction, FineTuned, Need, Predictions, PreparedOther, Row
from tasks.data.dataset import DATASETS, Dataset
from tasks.data.grouping import TOGETHER
from tasks.fairness.metric import FairnessMetric
from tasks.training.training import Training

if TYPE_CHECKING:
    import pandas as pd

    from tasks.models.probing import Probe

SPLIT = "test"
TRUE_LABEL = "<the true label>"
"""In place of a positive label, where of many labels each is positive for its own records."""


class ClassifierMetric(FairnessMetric, ABC):
    """Base of metrics on what a classifier answers.

    With ``data`` the model's body is fine-tuned on it first, with new answer layers; without, the model's own answers on its own test split are
    judged. ``test_data`` is other data with the same labels, whose test split is judged instead.
    """

    data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(default=None, description="Fine-tune on this first; without it, the model's own test split.")
    finetune: Training = Field(default=Training(epochs=3), description="How to fine-tune.")
    body: Literal["trained", "frozen"] = Field(default="trained", description="Whether fine-tuning moves the whole model, or its new answer layers alone.")
    test_data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(
        default=None, description="Judge the test split of this instead; its labels must be the same."
    )
    positive: str | None = Field(default=None, description="The label that counts as positive; of two, the second by alphabet.")

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint")

    @property
    def reads_own_data(self) -> bool:
        """Without data of its own, to fine-tune on or to be judged on."""
        return self.data is None and self.test_data is None

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The fine-tuned model, or what the model itself says; and the other test data."""
        other = () if self.test_data is None else (PreparedOther(label="test", data=self.test_data.model_dump(mode="json")),)
        if self.data is None:
            return other or (Predictions(split=SPLIT),)
        return (FineTuned(data=self.data.model_dump(mode="json"), training=self.finetune.model_dump(mode="json"), frozen=self.body == "frozen"), *other)

    @property
    def any_label(self) -> bool:
        """Whether it asks only which answers are right, so that of many labels none need be the positive one."""
        return False

    def judged(self, target: Path, needed: Mapping[str, Path], report: Any) -> Judged | str:
        """What is judged, or why nothing can be."""
        positive = TRUE_LABEL if self.positive is None and self.any_label else self.positive
        if f"predictions/{SPLIT}" in needed:
            return _own(target, needed[f"predictions/{SPLIT}"], positive)
        opened = self.opened(target, needed, target, report)
        return opened if isinstance(opened, str) else _asked(opened, positive)

    def opened(self, target: Path, needed: Mapping[str, Path], data: Path, report: Any) -> Opened | str:
        """The classifier itself, fine-tuned or the target with its own ``data``; or why it cannot be asked."""
        from tasks.data.prepared import PreparedData
        from tasks.models.probing import Probe

        prepared = PreparedData(needed.get("data/test", needed.get("fine-tuned/data", data)))
        if prepared.task not in self.tasks or not prepared.has(SPLIT):
            return f"task '{prepared.task}' has no labels to judge"
        probe = Probe.open(needed.get("fine-tuned", target), "cpu" if report is None else report.device)
        records = prepared.split(SPLIT)
        strange = sorted(set(records["label"]) - set(probe.shape.labels))
        if strange:
            return f"the model has no label '{strange[0]}', which the test data has: it answers another question"
        return Opened(probe, records, {"data": prepared.facts["split_digests"][SPLIT], "split": SPLIT})

    def mean_row(self, name: str, values: Any, told: Any, opened: Opened, seed: int, direction: Direction, said: dict[str, str], **rest: Any) -> Row:
        """The mean of ``values`` (N,) over the records ``told`` (N,), drawn with their users or templates for its interval."""
        import numpy as np

        from tasks.core.bootstrap import clusters_of, estimate

        n = int(told.sum())
        sums, entity = np.column_stack([values[told], np.ones(n)]), self.metric("fairness", name)
        mean = estimate(sums, lambda total: total[:, 0] / total[:, 1], clusters_of(opened.records[told]), seed, entity)
        return self.row(name, *mean, n, direction, said, **rest)


@dataclass(frozen=True)
class Opened:
    """A classifier that can be asked, and the records to ask about (columns id, text, label ...). ``conditions``: data digest and split."""

    probe: Probe
    records: pd.DataFrame
    conditions: dict[str, str]

    def items(self, told: Any, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """Those of the records ``told`` (N,) bool."""
        from tasks.core.bootstrap import clusters_of, items_of

        records = self.records[told]
        return items_of(records["id"], clusters_of(records), columns)


class Judged:
    """Records and answers.

    Attributes:
        table: id, label, perhaps user; ``truth`` (whether the label is the positive one), ``score`` (the probability of the positive label), ``predicted``;
            where each label is positive for its own records, ``truth`` is true of all, and ``predicted`` whether the answer is right.
        groups: by name, which records are about the group, (N,) bool.
        conditions: data digest, split, positive label.
    """

    def __init__(self, table: pd.DataFrame, conditions: dict[str, str]) -> None:
        self.table, self.conditions = table, conditions
        names = sorted({name for value in table["group"].dropna() for name in str(value).split(TOGETHER)})
        parts = table["group"].map(lambda value: set(str(value).split(TOGETHER)), na_action="ignore")
        self.groups = {name: parts.map(lambda part, name=name: name in part, na_action="ignore").eq(True).to_numpy(dtype=bool) for name in names}

    def items(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """Those of all records."""
        from tasks.core.bootstrap import clusters_of, items_of

        return items_of(self.table["id"], clusters_of(self.table), columns)


def _own(target: Path, folder: Path, positive: str | None) -> Judged | str:
    import numpy as np
    import pandas as pd
    from safetensors.numpy import load_file

    facts = json.loads((folder / "predictions.json").read_text())
    if facts["task"] not in ClassifierMetric.tasks:
        return f"task '{facts['task']}' has no labels to judge"
    labels = json.loads((target / "labels.json").read_text())["labels"]
    logits = load_file(folder / "logits.safetensors")["intent"].astype(float)
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    table = pd.read_parquet(folder / "predictions.parquet")
    return _table(table, chances / chances.sum(axis=1, keepdims=True), labels, positive, facts["data"])


def _asked(opened: Opened, positive: str | None) -> Judged | str:
    chances = opened.probe.classify(opened.records["text"].tolist())
    return _table(opened.records, chances, list(opened.probe.shape.labels), positive, opened.conditions["data"])


def _table(records: pd.DataFrame, chances: Any, labels: Sequence[str], positive: str | None, digest: str) -> Judged | str:
    import numpy as np
    import pandas as pd

    if "group" not in records or records["group"].isna().all():
        return "the data names no groups"
    if len(labels) == 2 and positive in (None, TRUE_LABEL):
        positive = sorted(labels)[1]
    if positive is None:
        return f"of {len(labels)} labels one must be named: positive"
    if positive not in (*labels, TRUE_LABEL):
        return f"no label is '{positive}'"
    table = records[[column for column in ("id", "user", "group", "label") if column in records]].copy()
    chosen = records["label"] if positive == TRUE_LABEL else pd.Series(positive, index=records.index)
    places = chosen.map(list(labels).index).to_numpy()
    table["truth"] = (records["label"] == chosen).to_numpy()
    table["score"] = chances[np.arange(len(table)), places]
    table["predicted"] = chances.argmax(axis=1) == places
    return Judged(table.reset_index(drop=True), {"data": digest, "split": SPLIT, "positive": positive.strip("<>")})


def slugs(groups: Sequence[str]) -> dict[str, str]:
    """Groups as segments of metrics' names: letters, digits, ``_``, ``-`` and ``.`` alone, with a number where two would be alike."""
    import re

    found: dict[str, str] = {}
    for group in groups:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", group) or "_"
        slug, number = plain, 2
        while slug in found.values():
            slug, number = f"{plain}_{number}", number + 1
        found[group] = slug
    return found


def sizes(groups: Mapping[str, Any]) -> str:
    """Groups with how many records each has, in words."""
    return ", ".join(f"{name} {int(inside.sum())}" for name, inside in groups.items())
