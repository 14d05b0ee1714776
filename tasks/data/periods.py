"""Periods: only the records of some days."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import pandas as pd

    from tasks.data.dataset import Dataset


class Period(BaseModel):
    """Days by the column ``time``, both ends included; an end that is not given is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: date | None = Field(default=None, description="First day, 2026-11-01.")
    until: date | None = Field(default=None, description="Last day.")

    @model_validator(mode="after")
    def _some(self) -> Period:
        if self.since is None and self.until is None:
            raise ValueError("give since, until, or both")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError(f"ends ({self.until}) before it begins ({self.since})")
        return self

    def of(self, records: pd.DataFrame, where: str) -> pd.DataFrame:
        """The records of these days, in their places. Raises DataError for records without a readable time."""
        days = days_of(records, where)
        kept = days.notna()
        if self.since is not None:
            kept &= days >= self.since.isoformat()
        if self.until is not None:
            kept &= days <= self.until.isoformat()
        return records[kept.to_numpy(dtype=bool)]


def days_of(records: pd.DataFrame, where: str) -> pd.Series:
    """The day of every record, ISO 8601, in the order of the records. Raises DataError."""
    import pandas as pd

    from tasks.data.dataset import DataError

    if "time" not in records:
        raise DataError(f"{where}: a period needs records with a time, and these have none")
    found = pd.to_datetime(records["time"], errors="coerce", utc=True, format="ISO8601")
    wrong = found.isna()
    if wrong.any():
        place = int(records.index[int(wrong.to_numpy().argmax())]) + 1
        raise DataError(f"{where}: the time of record {place} cannot be read: write it as 2026-11-27 or 2026-11-27T03:00:00")
    return found.dt.strftime("%Y-%m-%d")


def newest_day(data: Dataset, cache: Path) -> date:
    """The day of the newest record of any split. Raises DataError."""
    raw = data.model_copy(update={"period": None}).load(cache)
    days = (days_of(records, f"{data.kind}, split {name}").max() for name, records in raw.splits.items() if len(records))
    return date.fromisoformat(max(days))
