"""Prepared data: the artifact that every later step reads."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test", "nonmembers", "canaries")


class PreparedData:
    """A folder with one Parquet file per split and ``data.json``.

    Columns: ``id`` and those of text, label, tokens, slots, user, time, group, rating, context, answer, answer_start, target that the dataset has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._splits: dict[str, pd.DataFrame] = {}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Everything in ``data.json``: task, labels, slots, counts, digest, public size, realised holdout, groups."""
        facts: dict[str, Any] = json.loads((self.folder / "data.json").read_text())
        return facts

    @property
    def task(self) -> str:
        """What is learnt."""
        return str(self.facts["task"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The declared label set, sorted."""
        return tuple(self.facts["labels"])

    @property
    def slots(self) -> tuple[str, ...]:
        """The declared slot tags, sorted, ``O`` first."""
        return tuple(self.facts["slots"])

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that are there."""
        return tuple(name for name in SPLITS if self.has(name))

    def has(self, name: str) -> bool:
        """Whether a split is there."""
        return (self.folder / f"{name}.parquet").exists()

    def split(self, name: str) -> pd.DataFrame:
        """The records of a split. Raises KeyError where there is none."""
        if name not in self._splits:
            import pandas as pd

            if not self.has(name):
                raise KeyError(f"the data has no split '{name}'; there is {', '.join(self.split_names)}")
            self._splits[name] = pd.read_parquet(self.folder / f"{name}.parquet")
        return self._splits[name]
