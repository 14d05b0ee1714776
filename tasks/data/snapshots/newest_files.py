"""The newest of some files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tasks.core.roots import CONTEXT, outside
from tasks.data.dataset import DataError, Dataset
from tasks.data.snapshot import Found, Known, Snapshot, replaced


class NewestFiles(Snapshot):
    """The newest file that fits a pattern takes the place of ``train`` of data of kind ``files``; test records stay those of the study's own ``test``.

    Whoever writes snapshots should write aside and rename: a file that is found is read.
    """

    kind: Literal["newest-files"]
    pattern: str = Field(min_length=1, max_length=400, description='Which files, relative to this file\'s folder or the current one: "snapshots/*.parquet".')
    by: Literal["name", "modified"] = Field(
        default="name", description="What tells the newest: the last name, numbers read as numbers (2026-11-27.parquet), or the time of its last change."
    )

    def tonight(self, data: Dataset, context: Mapping[str, Any], cache: Path, known: Known) -> Found:
        """The newest file as training records."""
        if data.kind != "files":
            raise DataError(f"snapshot: newest-files gives a file to data of kind files, and the study's is {data.kind}")
        folder = Path(context.get("folder", "."))
        places = [Path("/")] if Path(self.pattern).is_absolute() else list(dict.fromkeys((folder, Path.cwd())))
        found = next((files for place in places if (files := _files(place, self.pattern, context.get(CONTEXT)))), [])
        if not found:
            raise DataError(f"snapshot: no file fits {self.pattern} (looked in {', '.join(map(str, places))})")
        newest = max(found, key=_by_name if self.by == "name" else _by_time)
        return Found(replaced(data, {"train": str(newest)}, context), newest.name)


def _files(place: Path, pattern: str, allowed: tuple[Path, ...] | None) -> list[Path]:
    """The files below a place that fit. Raises DataError where a server may not even look there."""
    parts = Path(pattern.removeprefix("/")).parts
    fixed = place.joinpath(*itertools.takewhile(lambda part: not set(part) & set("*?["), parts))
    problem = None if allowed is None else outside(fixed, allowed)
    if problem:
        raise DataError(f"snapshot: {problem}")
    return [path for path in place.glob("/".join(parts)) if path.is_file()]


def _by_name(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Parts of the name in order, runs of digits as numbers: ``day-9`` comes before ``day-10``."""
    parts = [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", str(path.with_suffix(""))) if part]
    return parts, str(path)


def _by_time(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, str(path)
