"""Texts labelled with the group of people that they are about, from data that names groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, DataError, Dataset, RawData, Task
from tasks.data.grouping import of_one_group


class GroupLabels(Dataset):
    """The records of other data that are about exactly one group, with the group as the label: what a model of people's groups learns from."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)

    kind: Literal["group-labels"]
    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="Data whose records name groups.")
    groups: tuple[str, ...] = Field(default=(), description="Only these groups; none: all.")

    @model_validator(mode="after")
    def _grouped(self) -> GroupLabels:
        if not self.data.has_groups:
            raise ValueError(f"the records of {self.data.kind} name no groups")
        return self

    @property
    def is_private(self) -> bool:
        """Where the data is."""
        return self.data.is_private

    def content_digest(self) -> str | None:
        """That of the data."""
        return self.data.content_digest()

    def load(self, cache: Path) -> RawData:
        """The records, relabelled. Raises DataError where fewer than two groups are left."""
        raw = self.data.load(cache)
        splits = {}
        for name, records in raw.splits.items():
            kept = records[of_one_group(records, self.groups)]
            splits[name] = kept.drop(columns=["label", "tokens", "slots", "rating"], errors="ignore").assign(label=kept["group"])
        if splits["train"]["label"].nunique() < 2:
            raise DataError(f"group-labels: the training records of {self.data.kind} name fewer than two groups")
        return RawData(splits, raw.facts)
