"""A study's own files: CSV, JSON Lines or Parquet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tasks.core.component import unkeyed
from tasks.core.roots import named_file
from tasks.data.columns import Columns
from tasks.data.dataset import Dataset, RawData, Task

FORMATS = (".csv", ".jsonl", ".parquet")


class Files(Dataset):
    """Tables on disk. Relative paths are looked for beside the study's file, then in the current folder."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq", "lm", "mlm")

    kind: Literal["files"]
    train: Path = unkeyed(description="Training records: .csv, .jsonl or .parquet.")
    validation: Path | None = unkeyed(default=None, description="Records for early stopping.")
    test: Path | float = unkeyed(default=0.2, description="Test records, or the share of the training records to test on.")
    columns: Columns = Field(description="Which column is what.")

    @field_validator("train", "validation", "test", mode="after")
    @classmethod
    def _found(cls, value: Path | float | None, info: ValidationInfo) -> Path | float | None:
        if isinstance(value, float):
            if not 0 < value < 1:
                raise ValueError(f"a share must lie between 0 and 1 (got {value:g})")
            return value
        if (info.context or {}).get("saved"):  # a model that was trained on the table needs it no more
            return value
        return None if value is None else _existing(value, info)

    @model_validator(mode="after")
    def _columns_exist(self, info: ValidationInfo) -> Files:
        from tasks.data._tables import header

        if (info.context or {}).get("saved"):
            return self
        for path in self._paths():
            problem = self.columns.absent(header(path), path.name)
            if problem:
                raise ValueError(problem)
        unfit = self.columns.unfit(self.resolved_task)
        if unfit:
            raise ValueError(unfit)
        return self

    @property
    def has_groups(self) -> bool:
        """Where a column is named for them."""
        return self.columns.group is not None

    def content_digest(self) -> str:
        """Digest of the bytes of every file, and of the share that is tested on."""
        hasher = hashlib.sha256()
        for path in self._paths():
            with path.open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
        hasher.update(str(self.test if isinstance(self.test, float) else "").encode())
        return hasher.hexdigest()[:32]

    def load(self, cache: Path) -> RawData:
        """Read the files."""
        from tasks.data._tables import read
        from tasks.data.columns import named_records, share_as_test

        def records(path: Path) -> Any:
            return named_records(read(path), self.columns, path.name)

        splits = {"train": records(self.train)}
        if self.validation is not None:
            splits["validation"] = records(self.validation)
        if isinstance(self.test, float):
            splits["train"], splits["test"] = share_as_test(splits["train"], self.test)
        else:
            splits["test"] = records(self.test)
        return RawData(splits, {"files": [path.name for path in self._paths()]})

    def _paths(self) -> list[Path]:
        return [path for path in (self.train, self.validation, self.test) if isinstance(path, Path)]


def _existing(path: Path, info: ValidationInfo) -> Path:
    """The table, absolute. Raises ValueError with what to do."""
    found = named_file(path, info)
    if found.suffix not in FORMATS:
        raise ValueError(f"{path}: the name must end in {', '.join(FORMATS)}")
    return found
