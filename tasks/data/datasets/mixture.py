"""Several datasets as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.fingerprint import digest
from tasks.data.dataset import DATASETS, DataError, Dataset, RawData, Task


class Mixture(Dataset):
    """The records of several datasets, one part after the other: text, and labels and groups where each part has them.

    Parts may give a training split, a test split or both (``split`` of those that have it); the mixture must have both. It is private where a part is.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")

    kind: Literal["mixture"]
    parts: tuple[Annotated[Dataset, OneOf(DATASETS)], ...] = Field(min_length=2, max_length=20, description="The datasets.")

    @model_validator(mode="after")
    def _served(self) -> Mixture:
        task = self.resolved_task
        for index, part in enumerate(self.parts):
            if task not in part.tasks:
                raise ValueError(f"parts[{index}]: {part.kind} does not serve task '{task}'; it serves {', '.join(part.tasks)}")
            if part.task not in (None, task) or part.limit is not None or part.attack_holdout or part.public_size is not None or part.population is not None:
                raise ValueError(f"parts[{index}]: task, limit, population, public_size and attack_holdout are the mixture's own")
        return self

    @property
    def is_private(self) -> bool:
        """Where a part is."""
        return any(part.is_private for part in self.parts)

    def content_digest(self) -> str | None:
        """That of the parts that read files."""
        found = [content for part in self.parts if (content := part.content_digest()) is not None]
        return digest(found) if found else None

    def load(self, cache: Path) -> RawData:
        """All records. Raises DataError where no part gives a split."""
        import pandas as pd

        task = self.resolved_task
        loaded = [part.model_copy(update={"task": task}).load(cache) for part in self.parts]
        names = dict.fromkeys(name for raw in loaded for name in raw.splits)
        for needed in ("train", "test"):
            if needed not in names:
                raise DataError(f"mixture: no part has a {needed} split")
        splits = {}
        for name in names:
            tables = [raw.splits[name] for raw in loaded if name in raw.splits]
            shared = [column for column in tables[0] if all(column in table for table in tables)]
            splits[name] = pd.concat([table[shared] for table in tables], ignore_index=True)
        sources = {f"part {number}": dict(raw.facts) | {"kind": part.kind} for number, (part, raw) in enumerate(zip(self.parts, loaded, strict=True), start=1)}
        return RawData(splits, sources)
